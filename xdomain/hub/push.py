"""Upload a finished run to the Hugging Face hub: one commit, with all that is shared of it or nothing."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdomain.core.errors import MissingError, OutputError, RecipeError
from xdomain.core.progress import log
from xdomain.core.run_dir import StoredResult, read_result
from xdomain.core.safe_loading import limit_silence
from xdomain.core.shared_run import CARD, place_in_run
from xdomain.hub.contents import Contents, SharedFile, contents_of
from xdomain.hub.licences import doubt_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
KEPT = (".gitattributes",)
"""Files that the hub itself puts into a new repository."""
LOGIN = "`hf auth login`, or HF_TOKEN with a token that may write"
PATIENCE = 120
"""Seconds that the hub may be silent, as it may be while it makes a commit."""
SHOWN = 300
"""Characters of another library's message that are shown."""


@dataclass(frozen=True)
class Pushed:
    """What a push uploaded, or with a dry run would upload.

    Parameters
    ----------
    repo
        The name on the hub.
    files
        Their names there and sizes.
    private
        Whether others cannot see it; of a repository that was there already, as it was.
    url
        Its page; empty for a dry run.
    commit
        The commit; empty for a dry run.
    """

    repo: str
    files: tuple[SharedFile, ...]
    private: bool
    url: str = ""
    commit: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "repo": self.repo, "private": self.private, "url": self.url, "commit": self.commit,
            "files": [{"name": file.name, "bytes": file.size} for file in self.files],
        }  # fmt: skip


def push(
    run: str | Path | StoredResult,
    name: str,
    *,
    private: bool = True,
    licence: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Pushed:
    """Upload a finished run to the Hugging Face hub: weights, tokenizer, mapping, recipe, result and model card.

    The files of ``model/`` stand at the top of the repository, where `transformers` looks for them. Records,
    predictions, summaries of the training data and folders of this machine are never uploaded. The token is the one of
    HF_TOKEN or of ``hf auth login``.

    Parameters
    ----------
    run
        A finished run: its folder, or what `xdomain.run` returned.
    name
        Of the repository: ``USER/NAME``, or ``ORGANISATION/NAME``.
    private
        Whether a new repository is one that only you, or your organisation, can see.
    licence
        The licence of the model, as the hub writes it, such as ``apache-2.0``; None: the card says that none is stated.
    overwrite
        Whether to replace the files of a repository that holds some already, by a new commit. Those that are of no
        run are kept.
    dry_run
        Whether to collect and check the files only; the network is not used.

    Returns
    -------
    Pushed
        The files, and where they are.

    Raises
    ------
    UserError
        The run is not finished, a file names a folder of this machine, there is no token or no network, the name is
        taken, or the hub refuses. Nothing was uploaded then.
    """
    folder = run.folder if isinstance(run, StoredResult) else Path(run)
    if not NAME.fullmatch(name):
        raise RecipeError(f"{name!r} is no name of a repository", expected="USER/NAME, of letters, digits, -, _ and .")
    contents = contents_of(folder, repo=name, licence=licence)
    _tell(contents, folder, licence)
    if dry_run:
        return Pushed(name, contents.files, private)
    return _upload(contents.files, name, private=private, overwrite=overwrite)


def _tell(contents: Contents, folder: Path, licence: str | None) -> None:
    for note in read_result(folder).values.get("notes") or ():
        log.warning(note)
    if licence is None and not contents.own_card:
        log.warning("the card states no licence of the model; --licence apache-2.0, mit, cc-by-4.0, … states one")
    elif doubt := doubt_of(licence):
        log.warning(doubt)
    if contents.own_card:
        log.info(f"the card is {folder / 'model' / CARD} as it was edited; without that file a new one is written")
    if contents.left_out:
        log.warning(f"left out, as no run wrote {'it' if len(contents.left_out) == 1 else 'them'}: "
                    + ", ".join(contents.left_out))  # fmt: skip


def _upload(files: Iterable[SharedFile], name: str, *, private: bool, overwrite: bool) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    files = tuple(files)
    token = get_token()
    if not token:
        raise MissingError("no token for the hub", expected="you to be logged in", fix=LOGIN)
    limit_silence(PATIENCE)
    api = HfApi(token=token, library_name="xdomain")
    with _explained(name, token):
        user = api.whoami()
        there = _there(api, name)
        if there is None:
            _create(api, name, user, private=private)
        elif there[1] and not overwrite:
            raise OutputError(
                f"{name} is there already, with {len(there[1])} files",
                fix="--overwrite for a new commit, which replaces the files of a run, or another name",
            )
        old = () if there is None else there[1]
        new = {file.name for file in files}
        stale = [one for one in old if one not in new and place_in_run(one)]
        operations = [
            *(CommitOperationAdd(path_in_repo=one.name, path_or_fileobj=one.content) for one in files),
            *(CommitOperationDelete(path_in_repo=one) for one in stale),
        ]
        done: Any = api.create_commit(name, operations, commit_message="Upload a run of xdomain")
    is_private = private if there is None else there[0]
    return Pushed(name, files, is_private, f"{api.endpoint}/{name}", str(done.oid))


def _there(api: HfApi, name: str) -> tuple[bool, list[str]] | None:
    """Whether the repository `name` is private, and its files; None: there is none that the user can see."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info: Any = api.model_info(name)
    except RepositoryNotFoundError:
        return None
    return bool(info.private), [one.rfilename for one in info.siblings or () if one.rfilename not in KEPT]


def _create(api: HfApi, name: str, user: dict[str, Any], *, private: bool) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_repo(name, private=private)
    except HfHubHTTPError as error:
        if error.response.status_code not in (401, 403, 404, 409):
            raise
        own = [str(user.get("name", "")), *(str(one["name"]) for one in user.get("orgs") or ())]
        if error.response.status_code == 409:
            raise OutputError(f"{name} is taken, by a repository that you may not see", fix="another name") from None
        raise OutputError(
            f"you may not create {name}: the hub answers {error.response.status_code}",
            expected=f"a name that begins with {' or '.join(f'{one}/' for one in own if one)}, and a token that may "
            "write",
            fix=LOGIN,
        ) from None


@contextmanager
def _explained(name: str, token: str) -> Generator[None]:
    """Turn errors of the hub and of the network in this context into one message, in which no token stands."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise OutputError("HF_HUB_OFFLINE is set: the hub is not asked", fix="unset HF_HUB_OFFLINE") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = _shown(error, token)
        if status == 401:
            raise OutputError(f"the hub does not know this token ({said})", fix=LOGIN) from None
        if status == 403:
            what, expected = f"you may not write to {name} ({said})", "a token that may write"
            raise OutputError(what, expected=expected, fix=LOGIN) from None
        raise OutputError(f"the hub refuses {name} ({said})", expected="an upload that succeeds") from None
    except ValueError as error:
        card = f"edit the part of model/{CARD} between the lines ---"  # the hub checks it
        fix = card if "metadata" in str(error) else None
        raise OutputError(f"the hub refuses {name} ({_shown(error, token)})", fix=fix) from None
    except Exception as error:
        root = type(error).__module__.partition(".")[0]
        if not isinstance(error, (OSError, RuntimeError)) and root not in ("httpcore", "httpx", "httpx2", "requests"):
            raise
        raise OutputError(
            f"{ENDPOINT} cannot be reached, or the upload broke off ({_shown(error, token)})",
            expected="a network that leads to the hub",
            fix="the same command again",
        ) from None


def _shown(error: Exception, token: str) -> str:
    """What `error` says in one line, without the `token`."""
    said = " ".join(str(error).split()).replace(token, "…")
    return (said[:SHOWN] + "…" if len(said) > SHOWN else said) or type(error).__name__
