"""The page in a browser: no message, every picture decoded, no overflow, from phone to desk."""

import html as escapes
import json
import re
import shutil
import subprocess

import pytest

from emulator.report.build import build_report
from emulator.report.compare.page import write_comparison

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
WIDTHS = (360, 768, 1280)

# A frame has the width of its screen, whatever the smallest window of the browser is.
PROBE = """<!DOCTYPE html><meta charset="utf-8"><pre id="probe"></pre><script>
const page = %s, found = {};
for (const width of %s) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.style.border = "0";
  frame.onload = () => {
    const view = frame.contentWindow, inside = frame.contentDocument;
    const images = [...inside.images];
    const slider = inside.querySelector(".viewer input");
    if (slider) { slider.value = 2; slider.dispatchEvent(new view.Event("input")); }
    const strip = inside.querySelector(".members img");
    view.dispatchEvent(new view.Event("beforeprint"));
    const unfolded = [...inside.querySelectorAll("details")].every(each => each.open);
    view.dispatchEvent(new view.Event("afterprint"));
    found[width] = {
      overflow: inside.documentElement.scrollWidth - inside.documentElement.clientWidth,
      decoded: images.filter(each => each.complete && each.naturalWidth > 0).length,
      images: images.length,
      said: slider ? inside.querySelector(".viewer output").textContent : "",
      shift: strip ? strip.style.transform : "",
      unfolded: unfolded,
      folded: [...inside.querySelectorAll("details")].every(each => !each.open),
      hints: [...inside.querySelectorAll(".hint")].filter(each => each.offsetHeight > 0).length,
      wider: [...inside.querySelectorAll("figure .scroll")]
        .filter(each => each.scrollWidth > each.clientWidth + 1).length,
    };
    document.getElementById("probe").textContent = JSON.stringify(found);
  };
  frame.srcdoc = page;
  document.body.append(frame);
}
</script>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


@pytest.fixture(scope="module", params=["report", "comparison"])
def page(request, tmp_path_factory):
    output = tmp_path_factory.mktemp("browser") / "page.html"
    if request.param == "report":
        folder, maps_dir = request.getfixturevalue("results")
        build_report(folder, output, maps_dir=maps_dir)
    else:
        write_comparison(request.getfixturevalue("comparison"), output)
    return output


def browse(path, *options):
    """What the browser prints, and the messages of its console."""
    home = path.parent / "profile"
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
         "--enable-logging=stderr", "--virtual-time-budget=20000", *options, path.as_uri()],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.fixture(scope="module")
def seen(page):
    """What the page looks like at every width, as the browser measures it."""
    text = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    probe = page.parent / "probe.html"
    probe.write_text(PROBE % (text, json.dumps(WIDTHS)), encoding="utf-8")
    dom, messages = browse(probe, "--dump-dom")
    (found,) = re.findall('<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
    return json.loads(escapes.unescape(found)), messages


def test_pages_are_quiet_whole_and_no_wider_than_the_screen(page, seen):
    found, messages = seen
    assert messages == []
    n_images = page.read_text(encoding="utf-8").count("<img ")
    for width in map(str, WIDTHS):
        assert found[width]["overflow"] <= 0, width
        assert found[width]["decoded"] == found[width]["images"] == n_images
        assert found[width]["folded"], width
        assert found[width]["unfolded"], width


def test_figures_that_go_on_beyond_the_screen_say_so(seen):
    for width, found in seen[0].items():
        assert found["hints"] >= found["wider"], width
    assert seen[0]["360"]["wider"] > 0
    assert seen[0]["1280"]["hints"] == 0


def test_the_slider_moves_the_strip_by_one_member(page, seen):
    for found in seen[0].values():
        if 'class="viewer"' in page.read_text(encoding="utf-8"):
            n_members = int(found["said"].split()[-1])
            assert found["said"] == f"member 2 of {n_members}"
            shift = float(re.findall(r"translateX\((.*)%\)", found["shift"])[0])
            assert shift == pytest.approx(-100 / n_members, rel=1e-4)
