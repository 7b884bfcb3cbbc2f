"""What do today's rules say of a recording, and how did that come about?"""

import sys
from pathlib import Path

import msgspec

from advisor.catalogue import all_rules
from advisor.documents import AdviceDocument, FindingEvent
from agent.config import LoadedConfig
from agent.played import Played, play
from agent.transitions import RecordedHistory, history_of


def judge_recording(loaded: LoadedConfig, path: Path) -> AdviceDocument:
    """What is said at its end. On standard error: how many of the rules are others than then. Raises BadRecording."""
    played = play(loaded, path)
    _tell(rules_line(played))
    return played.advice


def print_history(loaded: LoadedConfig, path: Path, *, as_json: bool) -> None:
    """Print when each finding began, changed and ended. Raises BadRecording."""
    history, played = history_of(loaded, path)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(history)).decode())
    else:
        print("\n".join(map(event_line, history.events)) or "no finding in all of it")
    _tell(rules_line(played))
    _tell(same_line(history))


def event_line(event: FindingEvent) -> str:
    return f"{event.at}  {event.event:<16} {event.severity:<8} {event.rule}  {event.subject}: {event.title}"


def rules_line(played: Played) -> str | None:
    """How many rules have changed since it was recorded; None where none has, or that is not known."""
    if not played.changed:
        return None
    count, names = len(played.changed), ", ".join(played.changed[:8])
    more = f" and {count - 8} others" if count > 8 else ""
    verb = "has" if count == 1 else "have"
    return f"{count} of {len(all_rules())} rules {verb} changed since it was recorded: {names}{more}"


def same_line(history: RecordedHistory) -> str | None:
    """Whether the replay says what was said then; None where the recording does not tell."""
    if history.same is None:
        return None
    return f"{history.same} of {history.judgements} judgements say the very same as when it was recorded"


def _tell(line: str | None) -> None:
    if line is not None:
        print(f"nodewright: {line}", file=sys.stderr)
