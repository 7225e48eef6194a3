# Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0
"""Runs programs with --report and --ui_port, and looks at their pages with a browser."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

root = pathlib.Path(os.environ["BEAM_SOURCE_DIR"])
sys.path.insert(0, str(root / "tests/support"))
from browser import Browser  # noqa: E402

BIN = pathlib.Path(os.environ["BEAM_BIN"])
EVIL = "</script><script>evil()</script><img src=x onerror=evil()>\"'`${evil()}"


def program(name, *options, expect=0):
    done = subprocess.run([BIN / name, *options], capture_output=True, text=True, timeout=250)
    assert done.returncode == expect, (name, done.returncode, done.stderr)
    return done


def quiet(browser, what):
    messages = browser.console()
    assert not messages, f"{what}: {messages}"


def texts(browser, selector):
    return browser.run("return [...document.querySelectorAll(arguments[0])]"
                       ".map((e) => e.textContent)", selector)


def column(browser, table, index):
    return texts(browser, f"#{table} tbody tr > :nth-child({index + 1})")


def open_page(browser, place):
    browser.open(place.as_uri() if isinstance(place, pathlib.Path) else place)


def fits(browser, what):
    """Nothing sticks out at the side, on a phone neither, in the dark neither."""
    for width, dark in ((1200, False), (390, True), (320, False)):
        browser.look(width, dark=dark)
        browser.wait(f"return innerWidth === {width}")
        wide = browser.run("return document.documentElement.scrollWidth")
        assert wide <= width, (what, width, wide)
    browser.look(1200)


# The contrast of every text with what is behind it, as WCAG 2 computes it; at least 4.5.
CONTRAST = """
const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length && (c.length < 4 || c[3] === 1)) return c;
  }
  return [255, 255, 255];
};
const bad = [];
for (const e of document.querySelectorAll("h1, h2, h3, p, span, dt, dd, th, td, caption, li, button, footer, text")) {
  if (!e.textContent.trim() || !e.getClientRects().length) continue;
  const svg = e instanceof SVGElement;
  let back = behind(e.closest("svg")?.parentElement || e);
  if (svg && e.previousElementSibling?.tagName === "rect" && /^(stagemark|hint|more)/.test(e.getAttribute("class")))
    back = parse(getComputedStyle(e.previousElementSibling).fill);
  const a = light(parse(svg ? getComputedStyle(e).fill : getComputedStyle(e).color)), b = light(back);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) bad.push([e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40), ratio]);
}
return bad;
"""


def accessible(browser, what):
    for dark in (False, True):
        browser.look(1200, dark=dark)
        bad = browser.run(CONTRAST)
        assert not bad, (what, "dark" if dark else "light", bad[:5])
    browser.look(1200)
    unnamed = browser.run(
        "return [...document.querySelectorAll('button, [role=button], [role=img], [role=region], [role=group], table')]"
        ".filter((e) => !(e.getAttribute('aria-label') || e.querySelector('caption') || e.textContent.trim()))"
        ".map((e) => e.outerHTML.slice(0, 100))")
    assert not unnamed, (what, unnamed)
    twice = browser.run("const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
                        "return ids.filter((id, i) => ids.indexOf(id) !== i)")
    assert not twice, (what, twice)
    loose = browser.run("return [...document.querySelectorAll('th')].filter((e) => !e.scope).length")
    assert loose == 0, what


def wordcount(browser, place):
    text = place / "text"
    text.write_text("one two two three three three\n" * 1000)
    program("wordcount", f"--input={text}", f"--output={place}/counts", f"--report={place}/w.html")
    page = place / "w.html"
    open_page(browser, page)
    assert texts(browser, "#program") == ["wordcount"]
    assert texts(browser, "#state") == ["Done"]
    nodes = browser.run("return [...document.querySelectorAll('#drawing [data-transform]')]"
                        ".map((e) => e.dataset.transform)")
    assert nodes == ["ReadFromText", "Split", "Count", "Format", "WriteToText"], nodes
    assert "1,000" in texts(browser, "#drawing .edgelabel"), texts(browser, "#drawing .edgelabel")
    assert "6,000" in texts(browser, "#drawing .edgelabel")
    # Boxes are below one another and do not overlap.
    places = browser.run("return [...document.querySelectorAll('#drawing .box')]"
                         ".map((e) => e.getBoundingClientRect().toJSON())")
    assert all(a["bottom"] < b["top"] for a, b in zip(places, places[1:])), places
    # The keyboard chooses a transform and shows all steps.
    browser.run("document.querySelector('[data-transform=Split]').focus()")
    browser.press("Enter")
    assert texts(browser, "#detail h3") == ["Split"]
    detail = " ".join(texts(browser, "#detail dd"))
    assert "1,000" in detail and "6,000" in detail, detail
    assert browser.run("return document.activeElement.dataset.transform") == "Split"
    browser.run("document.getElementById('show-steps').click()")
    assert "WriteToText/Publish" in browser.run(
        "return [...document.querySelectorAll('#drawing [data-transform]')].map((e) => e.dataset.transform)")
    # No other machine is asked for anything, and the policy lets nobody.
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert not re.search(r"(src|href)=\"(?!data:|#)", page.read_text())
    fits(browser, "wordcount")
    accessible(browser, "wordcount")
    quiet(browser, "wordcount")


def inference(browser, place):
    program("cpu_inference", "--dataset=digits", "--num_images=300", f"--output={place}/labels",
            "--resource_hints=accelerator=type:nvidia-tesla-t4;count:1",
            f"--report={place}/i.html")
    open_page(browser, place / "i.html")
    cards = browser.run("return [...document.querySelectorAll('.histogram')].map((e) => e.dataset.metric)")
    assert "inference_request_batch_size" in cards and "inference_batch_latency_micro_secs" in cards
    assert browser.run("return document.querySelectorAll('.histogram .column').length") > 2
    figures = dict(zip(texts(browser, ".figure .label"), texts(browser, ".figure .value")))
    assert float(figures["Accuracy"].rstrip("%")) > 95 and figures["Device"] == "cpu", figures
    assert any("nvidia-tesla-t4" in text for text in texts(browser, "#drawing .hint"))
    metrics = dict(zip(column(browser, "metrics-sorted", 0), column(browser, "metrics-sorted", 1)))
    assert metrics["num_inferences"] == "300", metrics
    fits(browser, "cpu_inference")
    accessible(browser, "cpu_inference")
    quiet(browser, "cpu_inference")


def numbers(cells):
    return [float(cell.rstrip("%").replace(",", "")) for cell in cells if cell != "–"]


def sweep(browser, place):
    program("parallel_training", "--dataset=digits", "--model=small_cnn", "--batch_size=64",
            "--num_images=256", "--epochs=3", f"--checkpoint_dir={place}/checkpoints",
            f"--serving_dir={place}/serving", f"--report={place}/s.html")
    open_page(browser, place / "s.html")
    assert len(texts(browser, "#sweep-sorted tbody tr")) == 3
    accuracy = numbers(column(browser, "sweep-sorted", 1))
    assert accuracy == sorted(accuracy, reverse=True), accuracy
    assert browser.run("return document.querySelectorAll('#sweep-sorted tr.best').length") == 1
    sort = "return [...document.querySelectorAll('#sweep-sorted th[scope=col]')].map((e) => e.getAttribute('aria-sort'))"
    assert browser.run(sort)[1] == "descending"
    # By keyboard: turned round, and the focus stays on the button, which is a new one.
    browser.run("document.querySelectorAll('#sweep-sorted th button')[1].focus()")
    browser.press("Enter")
    assert numbers(column(browser, "sweep-sorted", 1)) == sorted(accuracy)
    assert browser.run(sort)[1] == "ascending"
    assert browser.run("return document.activeElement.dataset.key") == "sweep-sorted:1"
    browser.press("Tab")
    browser.press(" ")
    losses = numbers(column(browser, "sweep-sorted", 2))
    assert losses == sorted(losses, reverse=True) and browser.run(sort)[2] == "descending"
    # Three curves of three epochs each, of both.
    assert texts(browser, "#curves h3") == ["Loss", "Training accuracy"]
    assert browser.run("return document.querySelectorAll('#curves .curve[d]').length") == 6
    assert browser.run("return document.querySelectorAll('#curves circle').length") == 18
    fits(browser, "parallel_training")
    accessible(browser, "parallel_training")
    quiet(browser, "parallel_training")


def live(browser, place):
    """The page while the run goes on, which is until it has been looked at, and its end."""
    with open(place / "live.err", "w+") as errors:
        training = subprocess.Popen(
            [BIN / "parallel_training", "--dataset=digits", "--model=small_cnn", "--batch_size=32",
             "--learning_rate=0.01", "--num_images=1024", "--epochs=100000", "--num_threads=1",
             f"--checkpoint_dir={place}/live", f"--report={place}/l.html", "--ui_port=0"],
            stdout=subprocess.DEVNULL, stderr=errors)
        try:
            for _ in range(600):
                errors.seek(0)
                if found := re.search(r"http://127\.0\.0\.1:\d+/", errors.read()):
                    break
                browser.wait("return new Promise((done) => setTimeout(() => done(true), 50))")
            open_page(browser, found.group())
            assert texts(browser, "#state")[0].startswith("Running"), texts(browser, "#state")
            # Curves grow while it runs.
            browser.wait("return document.querySelectorAll('#curves circle').length >= 4 &&"
                         " document.getElementById('state').textContent.startsWith('Running')", 200)
            browser.run("document.querySelectorAll('#transforms-sorted th button')[2].focus()")
            training.send_signal(signal.SIGINT)
            browser.wait("return document.getElementById('state').textContent === 'Cancelled'", 200)
            assert browser.run("return document.activeElement.dataset.key") == "transforms-sorted:2"
            assert browser.run("return document.querySelectorAll('#curves circle').length") >= 4
            assert training.wait(timeout=60) != 0
        finally:
            training.kill()
            training.wait()
    # What it asked for came from the program, and nothing else was asked for.
    asked = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert asked and all(re.fullmatch(r"http://127\.0\.0\.1:\d+/run\.json", name) for name in asked), asked
    quiet(browser, "live")


def hostile(browser, place):
    page = place / "hostile.html"
    subprocess.run([BIN / "../tests/test_app_page", "--write", page], check=True, timeout=60)
    open_page(browser, page)
    browser.run("window.evil = () => { window.evils = (window.evils || 0) + 1 }")
    assert texts(browser, "#program") == [EVIL]
    assert texts(browser, "#error")[0].startswith(EVIL)
    assert browser.run("return document.title").startswith(EVIL)
    nodes = browser.run("return [...document.querySelectorAll('#drawing [data-transform]')].map((e) => e.dataset.transform)")
    assert EVIL in nodes and "__proto__" in nodes and "constructor" in nodes, nodes
    browser.run("document.getElementById('show-steps').click();"
                "document.querySelectorAll('#drawing [data-transform]').forEach((e) => {"
                "  document.querySelector(`[data-key=\"${e.dataset.key}\"]`)"
                "    .dispatchEvent(new MouseEvent('click', {bubbles: true})) })")
    assert EVIL in column(browser, "metrics-sorted", 0)
    assert browser.run("return document.querySelectorAll('img, b, i, iframe').length") == 0
    assert browser.run("return document.scripts.length") == 2
    assert browser.run("return window.evils") is None
    assert browser.run("return ({}).steps") is None
    fits(browser, "hostile")
    quiet(browser, "hostile")
    # Were something to get in, the policy would not let it run.
    browser.run("const s = document.createElement('script'); s.textContent = 'window.got = 1';"
                "document.body.append(s); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.got = 2\">')")
    assert browser.run("return window.got") is None
    assert any("Content Security Policy" in m["message"] for m in browser.console())


def ends(browser, place):
    """A run that fails has its page too; a page that cannot be written fails before the run."""
    done = program("wordcount", "--input=/nowhere/at/all", f"--output={place}/x",
                   f"--report={place}/f.html", expect=1)
    open_page(browser, place / "f.html")
    assert texts(browser, "#state") == ["Failed"]
    assert "/nowhere/at/all" in texts(browser, "#error")[0] and "/nowhere" in done.stderr
    done = program("wordcount", "--input=/nowhere", f"--output={place}/x", "--report=/nowhere/r.html", expect=1)
    assert "--report" in done.stderr and "/nowhere/r.html" in done.stderr, done.stderr
    done = program("wordcount", "--input=/nowhere", f"--output={place}/x", "--ui_port=65536", expect=2)
    assert "--ui_port=65536: at most 65535" in done.stderr, done.stderr
    quiet(browser, "failed")


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="libbeam-report.") as folder, Browser() as browser:
        browser.look(1200)
        for test in (wordcount, inference, sweep, live, hostile, ends):
            place = pathlib.Path(folder) / test.__name__
            place.mkdir()
            try:
                test(browser, place)
                print(f"ok      {test.__name__}")
            except AssertionError as error:
                failed += 1
                print(f"FAILED  {test.__name__}: {error!r}")
    return failed > 0


sys.exit(main())
