"""A codebook: its centroids are the units, fitted to features of one kind by k-means or as the codes of a VQ-VAE."""

from __future__ import annotations

import hashlib
import json
import shutil
import tokenize
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.sequences import Ids
from xdomain.data.sources import neighbour

from .features import Features, Frames, frame_rate
from .optional_deps import library
from .vqvae import FrameEncoder, fit_vqvae

CENTROIDS, FACTS = "centroids.safetensors", "codebook.json"
ENCODER = "encoder."
"""Before the names of the encoder's tensors, beside the centroids."""
FORMAT = 1
BATCH = 2**22  # numbers in a table of distances: 32 MB
KMEANS_BATCH = 10_000
Method = Literal["kmeans", "vqvae"]


@dataclass(frozen=True, eq=False)
class Codebook:
    """Centroids in the space of some features, or of what an encoder makes of these.

    Parameters
    ----------
    centroids
        Shape (k, width), float32, finite. A frame nearest to row i is unit i.
    features
        Name of the features, as `xdomain.adapters.speech.named_features.make_features` takes it.
    digest
        The sha256 of the features' weights, layer and settings.
    sample_rate
        Samples a second from which the features are computed.
    rate
        Frames a second.
    encoder
        What maps frames of the features to the space of the centroids; None: they are of the same space.
    """

    centroids: Frames
    features: str
    digest: str
    sample_rate: int
    rate: float
    encoder: FrameEncoder | None = None

    def __len__(self) -> int:
        return self.size

    @property
    def size(self) -> int:
        """The number of units."""
        return len(self.centroids)

    @property
    def width(self) -> int:
        """Numbers of a frame of the features."""
        return self.centroids.shape[1] if self.encoder is None else len(self.encoder.mean)

    @cached_property
    def sha256(self) -> str:
        """The sha256 of the centroids and of what the features depend on, in hexadecimal: if equal, units are equal."""
        facts = json.dumps([self.digest, self.sample_rate, self.rate, self.centroids.shape])
        arrays = [self.centroids, *(self.encoder.tensors().values() if self.encoder else ())]
        return hashlib.sha256(facts.encode() + b"".join(one.astype("<f4").tobytes() for one in arrays)).hexdigest()

    @property
    def mark(self) -> str:
        """The first 16 digits of its sha256, by which tables of units name it."""
        return self.sha256[:16]

    @classmethod
    def of_array(cls, centroids: NDArray[np.floating[Any]] | Path, *, features: Features) -> Codebook:
        """Make a codebook from centroids fitted elsewhere, such as those of fairseq or s3prl.

        Parameters
        ----------
        centroids
            Shape (k, width), or a ``.npy`` file of such an array. Their own files are pickles of a scikit-learn model;
            ``numpy.save("centroids.npy", joblib.load("km.bin").cluster_centers_)`` converts one that you trust.
        features
            The features that they were fitted to.

        Raises
        ------
        DataError
            The file does not hold such an array, its shape does not fit the features, or a number is not finite.
        """
        where = str(centroids) if isinstance(centroids, Path) else "the array"
        array = _read_array(centroids) if isinstance(centroids, Path) else centroids
        if array.ndim != 2 or not len(array) or array.dtype.kind != "f":
            raise DataError(
                f"{where} has shape {array.shape} and type {array.dtype}", expected="centroids: (k, width) floats"
            )
        if array.shape[1] != features.width:
            raise DataError(
                f"{where} holds centroids of {array.shape[1]} numbers",
                expected=f"{features.width}, as frames of {features.name} have",
                fix="name the features, and the layer, that the centroids were fitted to",
            )
        if not np.isfinite(array).all():
            raise DataError(f"{where}: centroid {int(np.isfinite(array).all(1).argmin())} is not finite")
        fitted = np.ascontiguousarray(array, np.float32)
        return cls(fitted, features.name, features.digest, features.sample_rate, frame_rate(features))

    def check(self, features: Features) -> None:
        """Check that `features` are those the codebook was fitted to, wherever their weights are stored.

        Raises
        ------
        RecipeError
            They differ in weights, layer or settings.
        """
        if (features.digest, features.width) != (self.digest, self.width):
            raise RecipeError(
                f"the codebook was fitted to {self.features} (sha256 {self.digest}), "
                f"the features given are {features.name} (sha256 {features.digest})",
                expected="the same weights, layer and settings",
                fix="name those features, or fit a codebook to these: xdomain units fit … --features " + features.name,
            )

    def assign(self, frames: Frames, *, device: str | None = None) -> Ids:
        """Find the unit of every frame.

        Parameters
        ----------
        frames
            Shape (n, width).
        device
            The torch device to compute on; None: a GPU where there is one.

        Returns
        -------
        numpy.ndarray
            Shape (n,), uint16 or uint32: the number of the nearest centroid, the lower one of equals.
        """
        torch = library("torch")
        place = device or ("cuda" if torch.cuda.is_available() else "cpu")
        # in 64 bits, so that rounding does not depend on the batches and does not move a frame to another unit
        centroids = torch.from_numpy(self.centroids).to(place, torch.float64)
        coded = frames if self.encoder is None else self.encoder(frames)
        half = centroids.square().sum(1) / 2  # |x - c|² / 2 = |x|² / 2 + |c|² / 2 - x·c, and |x|² is the same for all
        rows = max(1, BATCH // self.size)
        parts = [
            torch.addmm(
                half, torch.from_numpy(coded[at : at + rows]).to(place, torch.float64), centroids.T, alpha=-1
            ).argmin(1)
            for at in range(0, len(coded), rows)
        ]
        if not parts:
            return np.empty(0, np.uint16)
        return narrow_to(torch.cat(parts).cpu().numpy(), self.size)

    def save(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write ``centroids.safetensors`` and ``codebook.json`` into `folder`, both or neither.

        Raises
        ------
        OutputError
            The folder holds a codebook and `overwrite` is not set, it holds something else, or it cannot be written.
        """
        check_place(folder, overwrite=overwrite)
        part = folder.with_name(folder.name + ".part")
        facts = {
            "format": FORMAT,
            "features": self.features,
            "features_sha256": self.digest,
            "sample_rate": self.sample_rate,
            "frames_per_second": self.rate,
            "method": "kmeans" if self.encoder is None else "vqvae",
            "units": self.size,
            "width": self.width,
            "sha256": self.sha256,
        }
        with writing(folder):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            encoder = {f"{ENCODER}{name}": one for name, one in self.encoder.tensors().items()} if self.encoder else {}
            tensors = {"centroids": self.centroids, **encoder}
            library("safetensors.numpy").save_file(tensors, str(part / CENTROIDS))
            (part / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
            if folder.is_dir():
                shutil.rmtree(folder)
            part.replace(folder)

    @classmethod
    def load(cls, folder: Path) -> Codebook:
        """Read the codebook that `save` wrote into `folder`.

        Raises
        ------
        DataError
            The folder does not exist, holds no codebook, or a damaged one.
        """
        if not (folder / FACTS).is_file():
            raise DataError(
                f"{folder} is no codebook" if folder.exists() else f"{folder} does not exist",
                expected=f"a folder with {FACTS} and {CENTROIDS}",
                nearest=neighbour(folder),
                fix=f"xdomain units fit WAVS… --out {folder}",
            )
        try:
            facts: Any = json.loads((folder / FACTS).read_text("utf-8"))
            tensors = library("safetensors.numpy").load_file(str(folder / CENTROIDS))
            centroids = tensors.pop("centroids")
            named = {name.removeprefix(ENCODER): one for name, one in tensors.items()}
            encoder = FrameEncoder(**named) if named else None
            if encoder is not None:
                encoder.check(int(facts["width"]), centroids.shape[1])
            book = cls(
                centroids,
                str(facts["features"]),
                str(facts["features_sha256"]),
                int(facts["sample_rate"]),
                float(facts["frames_per_second"]),
                encoder,
            )
            written = str(facts["sha256"])
        except Exception as error:  # safetensors has errors of its own
            raise _damaged(folder, f"{type(error).__name__}: {error}") from None
        if centroids.ndim != 2 or centroids.dtype != np.float32 or not np.isfinite(centroids).all():
            raise _damaged(folder, f"centroids of shape {centroids.shape}, type {centroids.dtype}")
        if book.sha256 != written:
            raise _damaged(folder, f"its sha256 is {book.sha256}, {FACTS} says {written}")
        return book


def narrow_to(ids: Ids, size: int) -> Ids:
    """The same `ids`, all below `size`, as uint16 if every number below `size` fits, else as uint32."""
    return ids.astype(np.uint16 if size <= 2**16 else np.uint32)


def check_place(folder: Path, *, overwrite: bool) -> None:
    """Check, before the work, that a codebook may be written to `folder`.

    Raises
    ------
    OutputError
        It holds a codebook and `overwrite` is not set, or it holds something else.
    """
    if folder.is_dir():
        strange = sorted(p.name for p in folder.iterdir() if p.name not in (CENTROIDS, FACTS))
        if strange:
            raise OutputError(
                f"{folder} holds {', '.join(strange[:3])}, which is no part of a codebook",
                expected="an empty or new folder",
                fix="another --out",
            )
        if any(folder.iterdir()) and not overwrite:
            raise OutputError(f"{folder} holds a codebook", fix="--overwrite, or another --out")
    elif folder.exists():
        raise OutputError(f"{folder} is a file", expected="a folder to write a codebook into", fix="another --out")


def _read_array(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            if not file.read(6).startswith(b"\x93NUMPY"):
                raise ValueError("no .npy")
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))  # of no larger a shape than the file holds
    except FileNotFoundError:
        raise DataError(f"{path} does not exist", expected="a .npy file", nearest=neighbour(path)) from None
    except (OSError, ValueError, EOFError, TypeError, OverflowError, SyntaxError, tokenize.TokenError):
        raise DataError(
            f"{path} is no .npy file of numbers",
            expected="an array of shape (k, width)",
            fix='of a scikit-learn model that you trust: numpy.save("centroids.npy", '
            'joblib.load("km.bin").cluster_centers_)',
        ) from None


def _damaged(folder: Path, why: str) -> DataError:
    return DataError(
        f"{folder} is damaged ({why})",
        expected="a codebook as it was saved",
        fix="copy it again, or fit it anew: xdomain units fit WAVS… --overwrite --out " + str(folder),
    )


def sample_frames(frames: Iterable[Frames], limit: int, *, width: int, seed: int = 0) -> tuple[Frames, int]:
    """Draw at most `limit` frames uniformly from all, in memory that does not grow with their number.

    A reservoir (Vitter 1985, algorithm R): every frame of every file is kept with the same probability.

    Parameters
    ----------
    frames
        Arrays of shape (n, width), one after another.
    limit
        The most frames to keep, 1 or more.
    width
        Numbers a frame.
    seed
        Seed of the draw, 0 or more.

    Returns
    -------
    tuple
        The sample, shape (min(limit, total), width), and the total.
    """
    generator = np.random.default_rng(seed)
    kept = np.empty((limit, width), np.float32)  # unwritten pages take no memory
    seen = 0
    for given in frames:
        room = min(len(given), max(0, limit - seen))
        kept[seen : seen + room] = given[:room]
        places = np.arange(seen + room, seen + len(given))
        drawn = generator.integers(0, places + 1)
        hits = drawn < limit
        kept[drawn[hits]] = given[room:][hits]  # of two frames for one place the later stays, as if taken one by one
        seen += len(given)
    return kept[: min(seen, limit)], seen


def fit_codebook(
    sample: Frames, size: int, *, features: Features, seed: int = 0, method: Method = "kmeans"
) -> tuple[Codebook, float]:
    """Fit centroids by mini-batch k-means (scikit-learn), initialised by k-means++; or as the codes of a VQ-VAE.

    The same sample and seed give the same codebook on the same machine.

    Parameters
    ----------
    sample
        Frames, shape (n, width), in any order.
    size
        Number of units, at most as many as there are distinct frames.
    features
        The features that the frames are.
    seed
        Seed of the first centroids and of the batches, 0 or more.
    method
        ``kmeans``, or ``vqvae``: see `xdomain.adapters.speech.vqvae.fit_vqvae`.

    Returns
    -------
    tuple
        The codebook; and the mean squared distance of a frame to its centroid, or the mean squared error of a number of
        the standardised frames as a VQ-VAE gives them back.

    Raises
    ------
    DataError
        There are fewer distinct frames than units.
    """
    _check_enough(sample, size)
    if method == "vqvae":
        encoder, codes, error = fit_vqvae(sample, size, seed=seed)
        return Codebook(
            codes, features.name, features.digest, features.sample_rate, frame_rate(features), encoder
        ), error
    cluster = library("sklearn.cluster")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*MKL on Windows", category=UserWarning)
        model = cluster.MiniBatchKMeans(
            size,
            init="k-means++",
            n_init=3,
            init_size=max(3 * size, KMEANS_BATCH),
            batch_size=KMEANS_BATCH,
            max_iter=100,
            max_no_improvement=50,
            reassignment_ratio=0.0,
            random_state=seed,
        ).fit(sample)
    book = Codebook.of_array(model.cluster_centers_, features=features)
    return book, float(model.inertia_) / len(sample)


def _check_enough(sample: Frames, size: int) -> None:
    different = len(sample)
    if different >= size:  # otherwise there are too few anyway
        rows = np.ascontiguousarray(sample).view(f"V{sample.shape[1] * sample.itemsize}")[:, 0]
        different = len(np.unique(rows))
    if different < size:
        raise DataError(
            f"{size:,} units from {len(sample):,} frames, of which {different:,} differ",
            expected="at least one frame a unit, better a hundred",
            fix=f"give more audio, or fewer units: --units {max(1, different // 100)}",
        )
