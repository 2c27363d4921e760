"""Dask's dashboard, made when somebody first opens it: what draws it takes longer to import than workers to start.

Dask finds `routes` by this module's name in its configuration, `distributed.scheduler.http.routes`.
"""

from distributed.http.utils import RequestHandler


class Door(RequestHandler):  # type: ignore[misc]
    """The root of the scheduler's HTTP server."""

    def get(self) -> None:
        scheduler = self.server
        if not scheduler.http_application.applications:
            try:
                from distributed.dashboard.scheduler import connect
            except ImportError as error:
                self.finish(f"the dashboard needs bokeh ({error}): pip install '.[scale]'")
                return
            connect(scheduler.http_application, scheduler.http_server, scheduler)
        self.redirect("/status")


routes: list[tuple[str, type[RequestHandler], dict[str, str]]] = [("/", Door, {})]
