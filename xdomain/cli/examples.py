"""The examples that the help of each command ends with. A test parses them."""

from __future__ import annotations

from collections.abc import Mapping

from xdomain.core.examples import examples

EXAMPLES: Mapping[str, str] = {
    "run": """
        # A task that comes with xdomain, from random weights
        xdomain run toy/dna-motif-order --init scratch

        # Your own table: columns and problem are guessed, and can be said
        xdomain run my.csv --domain dna --column label=activity

        # Five minutes, and the result of k-mer counts to compare with
        xdomain run dna/splice --minutes 5
        xdomain run dna/splice --baseline kmer
        """,
    "compare": """
        # Does text pre-training help? Three arms, three seeds, one sentence
        xdomain compare toy/dna-motif-order --out runs/first

        # Other arms, on your own table
        xdomain compare my.csv --domain protein --arms pretrained,scratch,cnn

        # Go on after an interruption
        xdomain compare my.csv --domain protein --resume
        """,
    "study": """
        # How many runs are that, and how long do they take?
        xdomain study my-study.yaml --plan

        # Two runs at a time; the same command goes on after an interruption
        xdomain study my-study.yaml --workers 2

        # On a Ray cluster, failed runs again
        xdomain study my-study.yaml --engine ray --retry-failed
        """,
    "report": """
        # Of one study, or of all studies in a store
        xdomain report studies/my-study
        xdomain report studies
        """,
    "analyze": """
        # All that can be asked of a run, or of two of them side by side
        xdomain analyze runs/dna/splice/pretrained-m0-s0
        xdomain analyze runs/pretrained runs/scratch --only landscape

        # Which positions of one record matter?
        xdomain analyze runs/pretrained --only mutagenesis --record seq17
        """,
    "embed": """
        # A vector for each record, by a run's encoder
        xdomain embed runs/dna/my/pretrained-m0-s0 new.fasta --out new.npy

        # By the shipped checkpoint as it is, from its embedding layer
        xdomain embed english-4x256 new.fasta --domain dna --layer 0 \\
          --out new.parquet
        """,
    "attention": """
        # Of all layers and heads
        xdomain attention runs/dna/my/pretrained-m0-s0 new.fasta --out new.npz

        # Of the last layer alone
        xdomain attention runs/dna/my/pretrained-m0-s0 new.fasta --layer -1 \\
          --out new.npz
        """,
    "export": """
        # A folder with ONNX and tokenizer, which needs no xdomain
        xdomain export runs/dna/my/pretrained-m0-s0 --format onnx --out model

        # What a paper should report about the run
        xdomain export runs/dna/my/pretrained-m0-s0 --format dome
        """,
    "push": """
        # What would be uploaded, and how large it is
        xdomain push runs/dna/splice/pretrained-m0-s0 me/splice --dry-run

        # A private repository of your own; --public for all to see
        xdomain push runs/dna/splice/pretrained-m0-s0 me/splice \\
          --licence apache-2.0
        """,
    "variants": """
        # Variants of a genome, by a run on DNA
        xdomain variants runs/dna/my/pretrained-m0-s0 my.vcf --genome hg38.fa

        # Mutations such as A23T, by a protein model of the hub
        xdomain variants facebook/esm2_t6_8M_UR50D mutations.csv \\
          --domain protein --mapping own --out scores.csv
        """,
    "anomaly": """
        # How unlikely is each record? The model is one pre-trained on the domain
        xdomain anomaly my-bert new.fasta --domain dna --mapping identity

        # How well do the scores find the records labelled 1?
        xdomain anomaly my-bert labelled.csv --domain dna --mapping identity \\
          --column label=odd --anomalous 1
        """,
    "transfer": """
        # A run on one task, evaluated on another, with the same symbols
        xdomain transfer runs/dna/splice/pretrained-m0-s0 dna/promoter

        # On your own table
        xdomain transfer runs/dna/splice/pretrained-m0-s0 --data my.csv \\
          --domain dna --draws 20
        """,
    "compress": """
        # Leave out the words that no symbol has: the predictions stay the same
        xdomain compress runs/dna/my/pretrained-m0-s0 --how vocabulary \\
          --out runs/small

        # Keep two layers, and distil what the others knew into them
        xdomain compress runs/dna/my/pretrained-m0-s0 --how distil --layers 2 \\
          --out runs/two-layers
        """,
    "app": """
        # In the browser of this machine
        xdomain app

        # On a machine that you reach by ssh -L 7860:localhost:7860
        xdomain app --no-browser --port 7860
        """,
    "ls": """
        # The tasks, or the domains
        xdomain ls
        xdomain ls adapters

        # For a script
        xdomain ls tasks --json
        """,
    "show": """
        # Every option of a task, to look at or to begin a recipe with
        xdomain show dna/splice
        xdomain show dna/splice --set train.epochs=3 > mine.yaml
        """,
    "check": """
        # A table before anything is trained on it
        xdomain check my.csv --domain dna

        # A recipe, or a task that comes with xdomain
        xdomain check mine.yaml
        xdomain check toy/dna-motif-order --json
        """,
    "predict": """
        # A CSV with a prediction for each record
        xdomain predict runs/dna/my/pretrained-m0-s0 new.fasta --out new.csv

        # A sequence that you type
        xdomain predict runs/dna/my/pretrained-m0-s0 --sequence ACGTTGCAAC

        # The mean of two runs; records unlike the training data are marked
        xdomain predict runs/dna/my/pretrained-m0-s* new.fasta --unlike

        # Along the contigs of a genome
        xdomain predict runs/dna/my/pretrained-m0-s0 genome.fa --windows 200 \\
          --out track.bedgraph
        """,
    "evaluate": """
        # On other labelled records
        xdomain evaluate runs/dna/my/pretrained-m0-s0 labelled.csv

        # On the run's own test records
        xdomain evaluate runs/dna/my/pretrained-m0-s0
        """,
    "doctor": """
        # What is installed, what is missing, and how to get it
        xdomain doctor

        # For a bug report
        xdomain doctor --json
        """,
    "new recipe": """
        # For your own table; a few made-up records if you have none yet
        xdomain new recipe mine --data my.csv --domain dna
        xdomain new recipe try-it --domain protein

        # The guess was wrong
        xdomain new recipe mine --data my.csv --domain dna --overwrite \\
          --column label=activity --problem regression
        """,
    "new adapter": """
        # A package in the folder morse, with the symbols . - and /
        xdomain new adapter morse --symbols './-'

        # Where the code is kept
        xdomain new adapter chords --out ~/src/xdomain-chords
        """,
    "new study": """
        # To fill in
        xdomain new study my-study

        # Of a task that comes with xdomain and one of your own
        xdomain new study my-study --task dna/splice --task mine.yaml
        """,
    "pretrain text": """
        # A small BERT of your own text
        xdomain pretrain text books.txt --out my-bert

        # A minute, to try it; repeat the command to go on
        xdomain pretrain text books.txt --out my-bert --tokens 200000 \\
          --layers 2 --width 128
        """,
    "pretrain sequences": """
        # A BERT of DNA, with nucleotides as its words
        xdomain pretrain sequences genome.fa --domain dna --out dna-bert

        # Go on from the shipped text model
        xdomain pretrain sequences proteins.fasta --domain protein \\
          --from english-4x256 --out protein-bert
        """,
    "pretrain synthetic": """
        # Integers that open and close like brackets
        xdomain pretrain synthetic nesting --out brackets-bert

        # Blocks, shuffled, of symbols whose frequencies follow Zipf's law
        xdomain pretrain synthetic shuffle:64 --law zipf:1 --out zipf-bert
        """,
}
"""By command, indented as here; `epilog` gives them as its help shows them."""


def epilog(command: str) -> str:
    """What the help of `command`, such as ``pretrain text``, ends with."""
    return examples(EXAMPLES[command])
