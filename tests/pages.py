"""What does a metrics page say of a service, as the collector would read it?"""

from collectors.framework import Framework
from collectors.pages.serving_page import Page, read_page
from collectors.pages.serving_samples import samples_of
from collectors.sources.serving import ServingSample

SERVICE = "5e41ce"


def sample_of_page(framework: Framework, text: str, before: str | None = None) -> ServingSample:
    """The sample of the whole service. `before` is the page ten seconds earlier, which quantiles need."""
    return samples_of_page(framework, text, before)[f"service:{SERVICE}"]


def samples_of_page(framework: Framework, text: str, before: str | None = None) -> dict[str, ServingSample]:
    """The samples of the service and of its models, by entity (`model:5e41ce/NAME`)."""
    assert framework.metrics is not None
    earlier = None if before is None else _page(framework, before)
    made = samples_of(SERVICE, framework.metrics, _page(framework, text), earlier)
    return {sample.entity: sample for sample in made}


def _page(framework: Framework, body: str) -> Page:
    assert framework.metrics is not None
    return read_page(framework.page_text(body), framework.metrics)
