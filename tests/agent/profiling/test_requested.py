"""A profile that was asked for: of several processes, and ended early."""

import threading

from advisor.profiling.stored import StoredProfile
from agent.profiling.keeping import Whose
from agent.profiling.requested import AT_ONCE, ENDED, take_requested
from collectors.profiles.profile import ProfileSpec
from tests.agent.profiling.profiles import profile_of
from tests.agent.profiling.scenes import key

BURST = ProfileSpec(kind="burst", seconds=1.0)
WHOSE = [Whose(key(pid), "app", "id-app", slot) for slot, pid in enumerate(range(101, 121))]


def test_once_it_is_ended_no_other_process_begins():
    end = threading.Event()
    asked = []

    def take(who, spec, its_end):
        asked.append(who.pid)
        its_end.set()
        return profile_of(who, spec)

    whole, profiles = take_requested(WHOSE, BURST, take, end)
    assert 1 <= len(asked) <= AT_ONCE
    assert len(profiles) == len(asked)
    assert isinstance(whole, StoredProfile)
    assert whole.notes.count(f"{ENDED.reason} ({ENDED.hint})") == 1


def test_ended_before_it_began_there_is_a_reason_and_no_profile():
    end = threading.Event()
    end.set()
    assert take_requested(WHOSE, BURST, lambda *_: profile_of(key(101), BURST), end) == (ENDED, [])
