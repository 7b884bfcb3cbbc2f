"""Which profiles are there while somebody looks, which of them is meant, and how is a new one taken?"""

from advisor.documents import Problem
from advisor.profiling.request import ProfileRequest, ProfileState
from tui import format as fmt
from tui.flame.loading import Loader
from tui.listed_profiles import ListedProfiles
from tui.messages import Refused, Told
from tui.no_profiles import none_text, none_then_text, unreadable_text
from tui.profile_choice import Choice
from tui.profiles import Entry, unix_seconds
from tui.screens.ask_profile import AskProfileScreen
from tui.screens.base import StateScreen
from tui.source import Picture, Source, Unreachable
from tui.state import State
from tui.travel import PAST
from tui.widgets.profile_list import ProfileList

BEAT_SECONDS = 1.0
"""How often it is looked whether the list is to be asked for again."""


class ProfileListing(StateScreen):
    """The part of the profile screen that has the list; the other draws what is meant."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = ListedProfiles(self.ask)
        self.choice = Choice()
        self.loader = Loader(self.ask)
        self._soon: str | None = None
        """A profile that is highlighted as soon as it is listed."""

    @property
    def now(self) -> float:
        """The moment that is shown (Unix seconds); 0 where there is no picture."""
        picture = None if self.state is None else self.state.picture
        return 0.0 if picture is None else unix_seconds(picture.node.at)

    @property
    def then(self) -> float | None:
        """The same; None in the present."""
        return None if self.state is None or self.state.moment is None else self.now

    @property
    def entry(self) -> Entry | None:
        """The highlighted profile."""
        chosen = self.query_one(ProfileList).chosen
        return next((one for one in self.listed.entries(self.then) if one.id == chosen), None)

    def absence(self, picture: Picture) -> tuple[str, ...]:
        if self.listed.entries(self.then):
            return ()
        if self.listed.problem is not None:
            return unreadable_text(self.listed.problem)
        if not self.listed.answered:
            return ("Asking for the profiles", "The list is on its way.")
        if self.then is not None:
            return none_then_text(picture)
        return none_text(picture, [service.name for service in picture.services])

    def show(self, picture: Picture) -> None:
        self.choice.go_to(self.then)
        profiles, entries = self.query_one(ProfileList), self.listed.entries(self.then)
        base = None if self.choice.base is None else self.choice.base.id
        profiles.show(entries, self.now, base, self.size.width)
        if self._soon is not None and any(one.id == self._soon for one in entries):
            profiles.choose(self._soon)
            self._soon = None
        if self.focused is None and self.is_current:
            profiles.focus()

    def show_again(self) -> None:
        """The picture is the same; what is known of profiles has changed."""
        if self.state is not None and self.is_mounted:
            super()._show_state(self.state)

    def _show_state(self, state: State) -> None:
        if self.state is not None and self.state.origin != state.origin:
            self.forget()
        super()._show_state(state)
        self._ask_for_list()

    def forget(self) -> None:
        """All of the node that was shown before."""
        for group in ("list", "draw"):
            self.workers.cancel_group(self, group)
        self.listed, self.loader, self.choice = ListedProfiles(self.ask), Loader(self.ask), Choice()
        self._soon = None

    def on_mount(self) -> None:
        self.set_interval(BEAT_SECONDS, self._ask_for_list)

    def on_screen_resume(self) -> None:
        if self.state is not None:
            self._show_state(self.state)

    def on_resize(self) -> None:
        self.show_again()

    def _ask_for_list(self) -> None:
        """Where that is due, and somebody looks."""
        state = self.state
        if state is None or state.picture is None or state.problem is not None or not self.is_current:
            return
        if self.listed.due(self.then):
            self.run_worker(self._list(), group="list")

    async def _list(self) -> None:
        for ended in await self.listed.follow(self.then):
            self._soon = ended.id  # it is drawn as soon as it is listed
            if ended.profile is not None:
                await self.loader.keep(ended.profile)
            done = ended.state == "done"
            how = "is done" if done else f"failed: {ended.reason} ({ended.hint})"
            self.post_message(Told(f"profile of {fmt.plain(ended.target)} {how}", good=done))
        self.show_again()

    def action_take(self) -> None:
        """Ask of what, where taking one can come to something at all."""
        source: Source = self.app.source  # type: ignore[attr-defined]
        picture = None if self.state is None else self.state.picture
        problem = source.read_only or (None if self.state is None else self.state.problem)
        problem = problem or (PAST if self.then is not None else None)
        if problem is not None or picture is None:
            self.post_message(Refused(problem or Problem("no-picture", "there is no connection yet", "wait for it")))
            return
        names, entry = [service.name for service in picture.services], self.entry
        target = entry.service if entry is not None and entry.service in names else names[0] if names else ""
        self.app.push_screen(AskProfileScreen(target, names), self._take)

    def _take(self, asked: ProfileRequest | None) -> None:
        if asked is not None:
            self.run_worker(self._post(asked), group="post")

    async def _post(self, asked: ProfileRequest) -> None:
        source: Source = self.app.source  # type: ignore[attr-defined]
        try:
            state = await source.post("profiles", asked, ProfileState)
        except Unreachable as error:
            self.post_message(Refused(error.problem))
            return
        self.listed.asked.begin(state)
        self._soon = state.id
        self.choice.alone()
        self.post_message(Told(f"a profile of {fmt.plain(state.target)} is being taken; it takes {state.seconds:g} s"))
        self.show_again()
