"""What is said of a lever that the application's own code sets, which nobody sees from outside?"""

from collectors.entities import Service
from collectors.knobs import Knob
from collectors.levers import Lever, Setting
from collectors.shared_levers import counted_workers


def unseen_setting(knob: Knob, service: Service, where: str) -> Setting:
    """How many workers run, for their lever; for others nothing but the default, which need not hold. `where`: what may
    set it: `the code`."""
    reason = f"{where} may set it"
    if knob.lever is Lever.WORKERS:
        return counted_workers(service, reason)
    default = knob.default_text or knob.default
    return Setting(lever=knob.lever, value=None, origin=f"{reason}; default {default}")
