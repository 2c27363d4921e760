"""Remarks on the cells of one column, each with the key or the correction that mends it."""

import re
import unicodedata
from collections.abc import Iterator

import pandas as pd

from pipeline.contract.column import Column
from pipeline.profiling.column_profile import Profile
from pipeline.profiling.date_guess import of_dates
from pipeline.profiling.remarks import Remark, quoted, shown

# Numbers that stand for "no value": 99, -999, 9999.0.
_SENTINEL = re.compile(r"[-\u2212]?9{2,}(\.0*)?")
# Codes have as many digits each, at least so many, and this share of the rows has a code of its own.
_CODE_DIGITS = 4
_CODE_SHARE = 0.9
_ENOUGH = 10  # rows of a column that is called a code


def of_column(profile: Profile, column: Column) -> Iterator[Remark]:
    """Yield remarks on a column that is a feature or may become one."""
    if column.role == "feature" and column.dtype in ("int", "float"):
        yield from _codes(profile)
    if column.dtype in ("int", "float"):
        yield from _sentinels(profile)
    if column.categories:
        yield from _look_alikes(profile)
    if column.dtype == "datetime":
        yield from of_dates(profile, column)


def _codes(profile: Profile) -> Iterator[Remark]:
    """Remark on policy numbers, postcodes and the like, which are no quantities."""
    fewest, most = (len(f"{abs(end):.0f}") for end in (profile.numbers.min(), profile.numbers.max()))
    is_long = fewest == most >= _CODE_DIGITS and profile.numbers.min() > 0
    enough = max(_ENOUGH, _CODE_SHARE * len(profile.numbers))
    if profile.is_whole and is_long and profile.numbers.nunique() >= enough:
        topic = "hardly a number twice, all with as many digits; if they are ids or codes, use role ignore (or role id)"
        yield Remark(topic, profile.name, f"{profile.numbers.nunique():,} different of {len(profile.numbers):,}")


def _sentinels(profile: Profile) -> Iterator[Remark]:
    """Remark on a lowest or highest number of nines that lies apart by more than the range of all others."""
    distinct = profile.numbers.drop_duplicates().sort_values().to_numpy()
    if len(distinct) < 3:
        return
    for end, nearest, farthest in (distinct[[0, 1, -1]], distinct[[-1, -2, 0]]):
        texts = profile.text[profile.numbers.index[profile.numbers == end]]
        if abs(end - nearest) > abs(nearest - farthest) and all(map(_SENTINEL.fullmatch, texts)):
            topic = "may mean missing; then add the keys missing and nullable: true, and correct min or max"
            keys = ", ".join(map(quoted, sorted(texts.unique())))
            yield Remark(topic, profile.name, f"{len(texts):,} x {shown(texts.iloc[0])}: missing: [{keys}]")


def _look_alikes(profile: Profile) -> Iterator[Remark]:
    """Remark on texts that differ in case, spaces or the composition of letters alone."""
    texts = pd.Series(profile.counts.index, dtype=object)
    for _, same in texts.groupby(texts.map(_plain)):
        if len(same) > 1:
            topic = "spellings that look alike are different categories; write one of them in the raw file"
            examples = " and ".join(f"{shown(text)} ({profile.counts[text]:,} x)" for text in sorted(same)[:3])
            composed = len(set(same.map(lambda text: unicodedata.normalize("NFC", text)))) < len(same)
            yield Remark(topic, profile.name, examples + (", composed and decomposed letters" if composed else ""))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
