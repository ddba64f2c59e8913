"""Raw records as Unicode texts, for domains whose symbols are longer than a byte."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.sequences import Payload


def texts_of(payloads: Sequence[Payload] | pa.Array) -> list[str]:
    """The raw records `payloads` as texts.

    Raises
    ------
    DataError
        A record is not UTF-8; the message counts records from 1.
    """
    listed: list[Payload] = list(payloads.to_pylist() if isinstance(payloads, pa.Array) else payloads)  # pyright: ignore
    return [_decoded(payload, record) for record, payload in enumerate(listed)]


def _decoded(text: Payload, record: int) -> str:
    try:
        return text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise DataError(
            f"record {record + 1}: byte 0x{error.object[error.start]:02x}, its number {error.start + 1}, is not UTF-8",
            expected="text in UTF-8",
            fix="save the file as UTF-8",
        ) from None
