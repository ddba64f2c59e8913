"""The words of a report, each with what it means."""

from __future__ import annotations

from xdomain.study.report.conclusions import SEEDS, SIGNIFICANCE
from xdomain.study.report.formats import chance, clean
from xdomain.study.results import Findings


def terms(findings: Findings) -> dict[str, str]:
    """The words that the report on `findings` uses, and the meaning of each as the end of a sentence."""
    return {
        "Cell": "one run: a task, an arm, a mapping seed, a seed, a learning rate.",
        "Arm": "one way to start and train the model, or a baseline.",
        "Mapping": "which word of the model's vocabulary stands for which symbol (a base, a residue, …); drawn "
        "at random from its seed where the arm says nothing else.",
        "95 % interval": "of values and differences: combines how cells vary over seeds and mappings (Student's t; "
        "where they are crossed, on two-way random effects) with how they would vary on other test records (a normal "
        "interval), so that it speaks of other seeds, other mappings and other records. Of a single cell it is over "
        "test records alone. It ends where the metric does.",
        "Constant answer": "what the most frequent class of the training records would get as the answer for every "
        "test record; for values their mean, for spans those drawn at random. No model has learned that is not better.",
        "Groups": "test records that belong together, as the performances of one piece or the residues of one chain: "
        "where the task names them, they are resampled, and counted by McNemar's test, as one.",
        "Difference": f"an arm less {clean(findings.reference)}, paired over mapping seeds, seeds and test records.",
        "Corrected p": "the p value of the difference, which belongs to its interval, after the correction of "
        f"Benjamini & Hochberg for all {len(findings.differences)} differences of this study (q in CSV files); below "
        f"{chance(SIGNIFICANCE)} a difference counts as seen. Verdicts rest on it alone.",
        "Pairs": "of a run of the arm and a run of the reference, alike in their seeds.",
        "Sign-flip p": "of a permutation test over seeds and mappings alone. With few of them it cannot fall below "
        "“least”, whatever the difference.",
        "McNemar p": "for metrics that count right answers: speaks of these very runs on other test records, not of "
        "other seeds or mappings. No verdict rests on it: where the seed matters, it is below .05 in about half of "
        "all comparisons without any true difference.",
        "Detectable": "the smallest true difference that would have been told from 0 with a power of 80 %, that is, in "
        "four studies of five.",
        "No difference seen": "not the same as no difference: a smaller one than “detectable” may be there.",
        **_splits(findings),
        "Cannot be told": "the study is too small, its values are too much alike, or neither arm has learned: nothing "
        f"can be said of this difference. One seed never tells; {SEEDS} are the fewest that do, 5 are better.",
    }


def _splits(findings: Findings) -> dict[str, str]:
    if all(group.splits == 1 for group in findings.groups):
        return {}
    return {
        "Splits": "the records were split anew, as the split seeds say; both arms of a pair have the same split. Test "
        "records vary with the split, so that the variation between cells holds theirs. As the training records of two "
        "splits overlap, intervals count them as dependent: the variance of the mean over n splits is that of one "
        "split times 1/n + test records/training records (Nadeau & Bengio 2003). There is no sign-flip and no McNemar "
        "p then. A learning rate that was searched for was chosen on the validation records of the first splits; some "
        "of these are test records of others, for all arms alike.",
    }
