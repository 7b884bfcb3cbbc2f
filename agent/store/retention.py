"""How much is kept, and what goes first?

By age: whole shards are unlinked, minute rows and profiles deleted. By size: the oldest shards go first, then the older
rows of today's shard, then the oldest minute rows. Profiles have a cap of their own.
"""

from dataclasses import dataclass

from agent.store.files import DAY_SECONDS, shards, size_bytes
from agent.store.open_files import OpenFiles
from agent.store.profiles import forget_profiles
from agent.store.raw import RawFile
from agent.store.state import StateFile
from agent.store.trends import forget_trends

_KEPT_SECONDS = 3600
_MINUTES_PER_DAY = DAY_SECONDS // 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Raw rows and minute rows by age in days, and both together by size on disk. Profiles by age, by number, and by an
    estimate of their size, which is never more than a quarter of `cap_bytes`."""

    raw_days: int = 7
    minute_days: int = 90
    cap_bytes: int = 2 << 30
    profile_seconds: float = 7 * DAY_SECONDS
    most_profiles: int = 20_000
    profile_cap_bytes: int = 256 << 20


def unlink_old(files: OpenFiles, today: int, retention: Retention) -> None:
    """Unlink the shards of days that ended more than `raw_days` ago."""
    for day in shards(files.state_path):
        if day < today - retention.raw_days:
            files.unlink_shard(day)


def forget_old_minutes(files: OpenFiles, minute: int, retention: Retention) -> bool:
    """Delete minute rows by age, an hour of them at most; False if the file cannot be written."""
    before = minute - retention.minute_days * _MINUTES_PER_DAY
    return files.on_state(lambda state: _forget(state, before * 60), atomic=False) is not None


def forget_old_profiles(files: OpenFiles, now_seconds: int, retention: Retention) -> bool:
    """Delete profiles that are too old or too many, a few of them at most; False if the file cannot be written."""
    size = min(retention.profile_cap_bytes, retention.cap_bytes // 4)

    def work(state: StateFile) -> bool:
        before = now_seconds - retention.profile_seconds
        found = forget_profiles(state.connection, before, retention.most_profiles, size)
        if found:
            _give_back_pages(state)
        return found

    return files.on_state(work, atomic=False) is not None


def forget_old_trends(files: OpenFiles, now_seconds: int, retention: Retention) -> bool:
    """Delete minutes and hours of services by age; False if the file cannot be written."""
    kept = retention.minute_days * DAY_SECONDS
    return files.on_state(lambda state: forget_trends(state.connection, now_seconds, kept)) is not None


def hold_cap(files: OpenFiles, today: int, now_seconds: int, retention: Retention) -> bool:
    """Let go of the oldest until all fits or only the last hour is left; False if a file cannot be written."""
    for day in shards(files.state_path):
        if size_bytes(files.state_path) <= retention.cap_bytes:
            return True
        if day != today:
            files.unlink_shard(day)
    before = now_seconds - _KEPT_SECONDS
    more: bool | None = True
    while more and size_bytes(files.state_path) > retention.cap_bytes:
        more = files.on_shard(today, lambda shard: _forget(shard, before), atomic=False)
        if more is False:
            more = files.on_state(lambda state: _forget(state, before), atomic=False)
    return more is not None


def _forget(file: RawFile | StateFile, before_unix_seconds: int) -> bool:
    """Delete an hour of rows and give their pages back; False if there was nothing so old."""
    if not file.forget_before(before_unix_seconds):
        return False
    _give_back_pages(file)
    return True


def _give_back_pages(file: RawFile | StateFile) -> None:
    file.connection.executescript("PRAGMA incremental_vacuum")  # execute() would end it after its first page
    file.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
