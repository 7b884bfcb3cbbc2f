"""What is to be drawn: the highlighted profile, all of its service in a span, or what changed between two?"""

from tui.profiles import SPANS, Compared, Entry, One, Span, Target


class Choice:
    """`base` is the profile that others are compared with."""

    def __init__(self) -> None:
        self.base: Entry | None = None
        self.span: Span | None = None
        self.comparing = False

    def what(self, entry: Entry) -> Target | Compared | None:
        """What to ask for where `entry` is highlighted; None where it has no stacks (yet)."""
        if self.span is not None:
            return Compared(self.span.before, self.span) if self.comparing else self.span
        if entry.state != "done":
            return None
        if self.comparing and self.base is not None and self.base.id != entry.id:
            return Compared(One(self.base.id), One(entry.id))
        return One(entry.id)

    def alone(self) -> None:
        """The highlighted profile and nothing else."""
        self.base, self.span, self.comparing = None, None, False

    def lengthen(self, entry: Entry, now: float) -> None:
        """All profiles of the service in a longer and longer span up to now; after the longest, the highlighted one again."""
        span = self.span
        longer = [seconds for seconds in SPANS if span is None or seconds > span.seconds + 1]
        end = now if span is None else span.end
        self.alone()
        self.span = Span(entry.service, end - longer[0], end) if longer else None

    def compare(self, entry: Entry) -> bool:
        """The next step of a comparison: mark, compare, stop. Whether `entry` is marked now."""
        if self.comparing:
            self.base, self.comparing = None, False
        elif self.span is not None:
            self.comparing = True
        elif self.base is None and entry.state == "done":
            self.base = entry
            return True
        elif self.base is not None and self.base.id == entry.id:
            self.base = None
        else:
            self.comparing = entry.state == "done"
        return False

    def go_to(self, then: float | None) -> None:
        """Keep nothing that is later than a moment (Unix seconds); None is the present."""
        if then is None:
            return
        if self.base is not None and not self.base.was_there(then):
            self.base, self.comparing = None, False
        if self.span is not None and self.span.end > then:
            self.span = Span(self.span.service, then - self.span.seconds, then)
