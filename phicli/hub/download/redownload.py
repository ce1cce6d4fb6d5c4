"""Downloads again what turned out to be damaged."""

from __future__ import annotations

from collections.abc import Callable

from phicli.hub.disk.inventory import CachedModel
from phicli.hub.disk.verification import FetchAgain
from phicli.hub.download.planning import prepare
from phicli.hub.download.pull import pull
from phicli.hub.download.request import pull_request
from phicli.hub.offline import offline_error
from phicli.hub.types import Observer


def fetcher(observer: Observer) -> FetchAgain:
    """Downloads a model of the hub again, by name of its file and by commit, telling ``observer`` how it goes."""

    def ask(model: CachedModel) -> Callable[[], None]:
        request = pull_request(f"{model.repo}:{model.filename}", revision=model.revisions[0])
        if request.offline:
            raise offline_error("")
        plan = prepare(request, observer)

        def download() -> None:
            pull(plan, observer)

        return download

    return ask
