"""The heat map: offered where the service explains its answers, and only there."""

from tests.browser.chromium import Browser, Page, Route, expect, opened, picture


def test_heat_map(page: Page) -> None:
    page.get_by_role("button", name="Try this photo").click()
    switch = page.get_by_role("switch", name="Heat map")
    heat = page.get_by_role("img", name="Heat map")
    expect(switch).not_to_be_checked()
    expect(heat).not_to_be_visible()

    switch.check()
    expect(heat).to_be_visible()
    strongest = heat.get_attribute("src")
    picture(page, "heat-map")

    page.get_by_role("combobox", name="Heat map for").select_option(label="afraid")
    expect(heat).not_to_have_attribute("src", str(strongest))

    switch.uncheck()
    expect(heat).not_to_be_visible()
    expect(page.get_by_role("combobox")).not_to_be_visible()


def test_a_service_that_could_not_say_is_asked_again(browser: Browser, service: str) -> None:
    with opened(browser, service, refusals=True) as page:
        page.route("**/openapi.json", lambda route: route.fulfill(status=502), times=1)
        with page.expect_response("**/openapi.json"):
            page.get_by_role("button", name="Try this photo").click()
        expect(page.locator(".face")).to_have_count(1)
        expect(page.get_by_role("switch")).not_to_be_visible()

        page.get_by_role("button", name="Clear all").click()
        page.get_by_role("button", name="Try this photo").click()
        expect(page.get_by_role("switch", name="Heat map")).to_be_visible()


def test_no_switch_without_heat_maps(page: Page) -> None:
    def forget(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        document["paths"].pop("/explain", None)
        route.fulfill(response=answer, json=document)

    page.route("**/openapi.json", forget)
    with page.expect_response("**/openapi.json"):
        page.get_by_role("button", name="Try this photo").click()

    expect(page.locator(".face")).to_have_count(1)
    expect(page.get_by_role("switch")).not_to_be_visible()
