"""How is a child started so that it ends with us, also where we are killed?"""

import os
import shutil
from functools import cache


@cache
def dies_with_us() -> tuple[str, ...]:
    """What to put before the child's command: it is killed when the thread that started it ends. Empty where util-linux is not
    there."""
    path = "/usr/bin/setpriv"
    own = os.path.basename(os.path.realpath(path)) == "setpriv"  # busybox's does not know the option
    return (path, "--pdeathsig", "KILL") if own and shutil.which(path) else ()
