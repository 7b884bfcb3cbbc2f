"""May we hold as many descriptors as there are threads to watch?"""

import resource


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one: kept descriptors are what makes sampling cheap."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
