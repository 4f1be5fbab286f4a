"""`/api` for an operator: the front page, exports, held removals, dead letters, alerts.

Rule 1: the same look as the page's, so that both say the same.
Rule 2: it only reads: decisions and replays are those of the pages and of the command.
"""

from __future__ import annotations

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect.export_diff import ExportDiff
from console.inspect.trouble.runbooks import Runbook, runbooks
from console.page.api import operator_answers
from console.page.api.answer import answer, answer_of, no_answer
from console.page.api.answers import AlertPage, AlertPages, LetterDetails, LetterList, PlanList
from console.page.api.front_answers import FeedList
from console.page.look import NoLook
from console.page.operations import dead_letters, exports, plans
from console.page.operations.dead_letters import LetterLooks
from console.page.operations.exports import ExportLooks
from console.page.operations.feeds import FeedLooks
from console.page.operations.front import look_of
from console.page.operations.last_look import LookKeeper
from console.page.operations.plans import PlanLooks
from console.page.operations.runbooks import PATH, runbook_page


def routes(
    keeper: LookKeeper,
    export_looks: ExportLooks,
    plan_looks: PlanLooks,
    letter_looks: LetterLooks,
    feed_looks: FeedLooks,
) -> list[web.RouteDef]:
    """Return the routes."""
    return [
        *_front(keeper),
        *_feeds(feed_looks),
        *_exports(export_looks),
        *_plans(plan_looks),
        *_letters(letter_looks),
        web.get("/api/runbooks", _every_alert),
        web.get(f"/api{PATH}", _one_alert),
    ]


def _front(keeper: LookKeeper) -> list[web.RouteDef]:
    async def front(_request: web.Request) -> web.Response:
        return answer(operator_answers.overview(look_of(await keeper.get())))

    async def progress(_request: web.Request) -> web.Response:
        return answer(operator_answers.progress(look_of(await keeper.get())))

    return [web.get("/api/overview", front), web.get("/api/progress", progress)]


def _feeds(looks: FeedLooks) -> list[web.RouteDef]:
    async def every(_request: web.Request) -> web.Response:
        return answer(FeedList(await looks.every()))

    return [web.get("/api/feeds", every)]


def _exports(looks: ExportLooks) -> list[web.RouteDef]:
    async def every(_request: web.Request) -> web.Response:
        look = await looks.every()
        return answer(look if isinstance(look, NoLook) else operator_answers.export_list(look))

    async def details(request: web.Request) -> web.Response:
        look = await looks.details(request)
        return answer(look if isinstance(look, NoLook) else operator_answers.export_details(look))

    async def diff(request: web.Request) -> web.Response:
        return answer_of(await looks.diff(request), ExportDiff)

    path = f"/api{exports.PATH}"
    return [web.get("/api/exports", every), web.get(path, details), web.get(f"{path}/diff", diff)]


def _plans(looks: PlanLooks) -> list[web.RouteDef]:
    async def every(_request: web.Request) -> web.Response:
        look = await looks.every()
        return answer_of(
            look if isinstance(look, NoLook) else operator_answers.camel(look), PlanList
        )

    async def details(request: web.Request) -> web.Response:
        after = parse_id(request.query.get("after", "")) or 0
        look = await looks.details(request.match_info["plan_id"], after)
        return answer(look if isinstance(look, NoLook) else operator_answers.plan_details(look))

    return [web.get("/api/plans", every), web.get(f"/api{plans.PATH}", details)]


def _letters(looks: LetterLooks) -> list[web.RouteDef]:
    async def every(request: web.Request) -> web.Response:
        look = await looks.every(request)
        return answer_of(
            look if isinstance(look, NoLook) else operator_answers.camel(look), LetterList
        )

    async def details(request: web.Request) -> web.Response:
        return answer_of(await looks.details(request.match_info["letter_id"]), LetterDetails)

    return [web.get("/api/dead-letters", every), web.get(f"/api{dead_letters.PATH}", details)]


async def _every_alert(_request: web.Request) -> web.Response:
    return answer(AlertPages([_alert(runbook) for runbook in runbooks().values()]))


async def _one_alert(request: web.Request) -> web.Response:
    runbook = runbook_page(request.match_info["page"])
    return no_answer(404, "There is no such page.") if runbook is None else answer(_alert(runbook))


def _alert(runbook: Runbook) -> AlertPage:
    return AlertPage(
        runbook.alert, runbook.severity, runbook.page, runbook.means, list(runbook.look),
        list(runbook.mend), runbook.over,
    )  # fmt: skip
