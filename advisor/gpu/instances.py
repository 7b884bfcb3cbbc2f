"""How many instances of its model does a process of the service run on a device?"""

from advisor.facts import ServiceFacts
from collectors.levers import Lever


def instances_each(facts: ServiceFacts) -> int | None:
    """One where the server has no such setting, or leaves it to the device; None where it is not known what is set."""
    setting = facts.setting(Lever.MODEL_INSTANCES)
    if setting is None:
        return 1
    if setting.value is None:
        return None if setting.unread else 1
    return setting.value if isinstance(setting.value, int) and setting.value > 0 else None
