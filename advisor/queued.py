"""Are there more requests than are worked on?"""

from advisor.view import View, quantile


def waiting_requests(view: View) -> float:
    """Requests that wait to be accepted, in the median second, or inside the server."""
    return max(quantile(view.accept_queue, 0.5) or 0.0, view.server_queue or 0.0)


def crowded(view: View, least: float) -> bool:
    """Whether so many more connections are open than there are threads that requests may queue unseen inside a server that
    accepts more than it works on. A worker of one thread accepts only what it works on."""
    if view.established is None:
        return False
    known = [w.request_threads for w in view.service.serving]
    if any(each is None for each in known):
        there = sum(w.thread_count or 0 for w in view.serving)
        return view.service.calls == "synchronous" and there > 0 and view.established >= least * there
    each = [number for number in known if number is not None]
    return max(each, default=1) > 1 and view.established >= least * sum(each)


def in_progress(view: View) -> float | None:
    """Requests in the server, those that wait there with them: by Little's law, which counts none twice, else as far as it
    says itself. None if unknown."""
    if view.requests_per_second is not None and view.latency_seconds is not None:
        return view.requests_per_second * view.latency_seconds
    counted = [n for n in (view.in_flight, view.server_queue) if n is not None]
    return sum(counted) if counted else None
