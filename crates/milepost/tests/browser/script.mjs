// What the page's script adds: times, read-outs, the filter and keys; that it is the only one, moves nothing, and outlives a new body.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { folder, goTo, unfold, violations, withPage } from "./browser.mjs";

const FIELD = "search input[type=search]";
const STATUS = "search [role=status]";
const CHART = ".criterion svg[role=slider]";

const shown = (page, selector) =>
  page.evaluate((selector) => {
    const visible = [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
    return visible.map((element) => element.textContent.trim());
  }, selector);
// What the filter leaves, in whatever view it is seen.
const left = (page) =>
  page.evaluate(() => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.trim());
    const criterion = ".criterion:not([hidden])";
    return {
      names: texts(`${criterion} h3`),
      verdicts: texts(`${criterion} > header .verdict`),
      groups: texts(`${criterion} .groups tbody tr:not([hidden]) th`),
      tiers: texts(".tier:not([hidden]) h2"),
    };
  });
const focused = (page, selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);

for (const [zone, words] of [
  ["UTC", "24 Nov 2026, 21:13 UTC"],
  ["Asia/Kathmandu", "25 Nov 2026, 02:58 GMT+5:45"],
  ["America/New_York", "24 Nov 2026, 16:13 GMT-5"],
]) {
  test(`times are those of ${zone}, with what the page said beside them`, () =>
    withPage("year", { zone }, async (page) => {
      const time = page.locator("header time");
      assert.deepEqual([await time.textContent(), await time.getAttribute("title")], [words, "24 Nov 2026, 21:13 UTC"]);
      // An age stays an age.
      const age = page.locator(".criterion time").first();
      assert.equal(await age.textContent(), "33 minutes");
      assert.match(await age.getAttribute("title"), /^2[45] Nov 2026, \d\d:\d\d (UTC|GMT)/);
    }));
}

// The first month and the last day of a chart's table, as the read-out says them.
const ends = (page) =>
  page.evaluate((selector) => {
    const table = document.getElementById(document.querySelector(selector).getAttribute("aria-details"));
    const all = [...table.querySelectorAll("tr[data-n] td")].map((cell, place) => [cell, place]);
    const cells = all.filter(([cell]) => cell.textContent.trim());
    const [when, told] = [...table.rows[1].cells].map((cell) => cell.textContent.trim());
    const month = `${when}: ${told.replace(",", "\u00a0ms,")}`;
    const days = [cells.at(-1)].map(([cell, place]) => {
      const row = cell.parentElement;
      const day = new Date(Date.parse(row.cells[0].textContent + " UTC") + (place % 7) * 86_400_000);
      const words = day.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
      return `${words}: ${cell.textContent.trim()}\u00a0ms, n\u00a0${row.dataset.n.split(" ")[place % 7]}`;
    });
    return [month, ...days];
  }, CHART);

test("a pointer on a chart reads the nearest day out", () =>
  withPage("year", { zone: "Pacific/Kiritimati" }, async (page) => {
    await goTo(page, "#c1");
    const chart = page.locator(CHART).first();
    const [first] = await ends(page);
    assert.match(first, /^25 Nov 2025 to 30 Nov 2025: \d+ to \d+\u00a0ms, n\u00a0135$/);
    const { width } = await chart.boundingBox();
    await chart.hover({ position: { x: 0, y: 20 } });
    assert.deepEqual(await shown(page, ".readout"), [first]);
    // A pixel is more than a day.
    await chart.hover({ position: { x: width - 1, y: 20 } });
    assert.match((await shown(page, ".readout"))[0], /^2[234] Nov 2026: /);
    // Three weeks without events: the nearest month is before them.
    await chart.hover({ position: { x: (width * 91) / 364, y: 20 } });
    assert.match((await shown(page, ".readout"))[0], /^1 Feb 2026 to 22 Feb 2026: /);
    const [box, own] = [await page.locator(".readout").boundingBox(), await chart.boundingBox()];
    assert.ok(box.x >= 0 && Math.abs(box.y + box.height - own.y) < 1, "it touches the chart");
    // It can be pointed at (WCAG 1.4.13), and goes when the pointer does.
    await page.locator(".readout").hover();
    assert.equal((await shown(page, ".readout")).length, 1);
    await page.mouse.move(5, 5);
    assert.deepEqual(await shown(page, ".readout, .cursor"), []);
  }));

test("arrow keys on a chart read one day after the other out", () =>
  withPage("year", {}, async (page) => {
    await goTo(page, "#c1");
    const chart = page.locator(CHART).first();
    const [first, last] = await ends(page);
    const heard = () => chart.getAttribute("aria-valuetext");
    await chart.focus();
    assert.deepEqual([await heard(), await shown(page, ".readout")], [last, [last]]);
    await page.keyboard.press("Home");
    assert.deepEqual([await heard(), await shown(page, ".readout")], [first, [first]]);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await heard(), first);
    await page.keyboard.press("ArrowRight");
    assert.match(await heard(), /^Dec 2025: /);
    await page.keyboard.press("PageUp");
    assert.match(await heard(), /^Jul 2026: /);
    await page.keyboard.press("End");
    for (let day = 0; day < 32; day++) await page.keyboard.press("ArrowLeft");
    assert.equal(await heard(), "22 Oct 2026: no finite value, n\u00a027");
    await page.keyboard.press("Escape");
    assert.deepEqual(await shown(page, ".readout, .cursor"), []);
    await page.keyboard.press("End");
    assert.equal(await heard(), last);
    await page.keyboard.press("Tab");
    assert.equal(await chart.locator(".cursor").count(), 0);
    assert.match(await chart.getAttribute("aria-label"), /^P95 response time, day by day$/);
  }));

test("a chart whose table has a day in each row is read out by its headings", () =>
  withPage("year", {}, async (page) => {
    await page.evaluate(() => {
      document.querySelector("#c1 .body").innerHTML = `
        <svg class="other" role="img" data-first="2026-10-28" data-span="8" aria-details="other" style="width: 400px; height: 40px">
          <title>Growth</title>
        </svg>
        <table id="other" data-days="4 8">
          <thead><tr><th>Day<th>n<th>Estimate<th>Verdict
          <tbody><tr><th>1 Nov<td>20<td>310 ms<td><tr><th>5 Nov<td>31<td>290 ms<td>met
        </table>`;
      document.dispatchEvent(new Event("milepost:update"));
    });
    await goTo(page, "#c1");
    const chart = page.locator("svg.other");
    const [early, late] = ["1 Nov 2026: n 20, Estimate 310 ms", "5 Nov 2026: n 31, Estimate 290 ms, Verdict met"];
    for (const [x, words] of Object.entries({ 0: early, 290: early, 310: late })) {
      await chart.hover({ position: { x: Number(x), y: 20 } });
      assert.deepEqual(await shown(page, ".readout"), [words]);
    }
    assert.equal(await page.locator("svg.other .cursor").getAttribute("x1"), "100%");
  }));

test("the filter leaves what holds all words, says how much, and gives everything back", () =>
  withPage("year", {}, async (page) => {
    const { names: all } = await left(page);
    assert.equal(await page.locator(STATUS).textContent(), `${all.length} criteria`);
    await page.fill(FIELD, "INSTANT  p95");
    let { names, tiers, verdicts, groups } = await left(page);
    assert.deepEqual([names, tiers], [["P95 response time, instant"], ["Nice"]]);
    assert.match(await page.locator(STATUS).textContent(), /^1 of \d+ criteria$/);
    await page.fill(FIELD, "not proven");
    ({ verdicts } = await left(page));
    assert.ok(verdicts.length > 2 && verdicts.length < all.length && verdicts.includes("Not proven"));
    await page.fill(FIELD, "install");
    ({ groups } = await left(page));
    assert.deepEqual(groups, ["install"]);
    assert.match(await page.locator(STATUS).textContent(), /^1 of \d+ criteria, 1 group$/);
    await page.fill(FIELD, "there is no such name");
    ({ names, tiers } = await left(page));
    assert.deepEqual([names, tiers], [[], []]);
    await page.press(FIELD, "Escape");
    assert.deepEqual([(await left(page)).names, await page.inputValue(FIELD)], [all, ""]);
    assert.equal(await page.locator("details[open]").count(), 0, "what it unfolded is folded again");
  }));

test("a link to what the filter hides leads there", () =>
  withPage("year", {}, async (page) => {
    await page.fill(FIELD, "response time");
    const link = page.locator(".way a").last();
    const name = await link.textContent();
    await link.click();
    await page.waitForFunction((field) => document.querySelector(field).value === "", FIELD);
    const box = await page.locator(".criterion", { has: page.getByRole("heading", { name, exact: true }) }).boundingBox();
    assert.ok(box.y >= -1 && box.y < 900, `${box.y}`);
  }));

test("keys lead to the filter and from criterion to criterion, and can be turned off", () =>
  withPage("year", {}, async (page) => {
    const { names } = await left(page);
    const at = () => page.evaluate(() => document.activeElement.textContent);
    await page.keyboard.press("j");
    assert.equal(await at(), names[0]);
    await page.keyboard.press("j");
    assert.equal(await at(), names[1]);
    await page.keyboard.press("k");
    assert.equal(await at(), names[0]);
    await page.keyboard.press("k");
    assert.equal(await at(), names[0], "there is none before the first");
    await page.keyboard.press("/");
    assert.ok(await focused(page, FIELD));
    await page.keyboard.type("jk/");
    assert.equal(await page.inputValue(FIELD), "jk/");
    await page.keyboard.press("Escape");
    await page.keyboard.type("memory");
    await page.keyboard.press("ArrowDown");
    assert.equal(await at(), "Memory usage");
    for (const key of ["Control+j", "Alt+k"]) await page.keyboard.press(key);
    assert.equal(await at(), "Memory usage");
    await page.uncheck("search input[type=checkbox]");
    await page.keyboard.press("/");
    assert.ok(!(await focused(page, FIELD)));
  }));

test("a new body is made ready as the first was, and the filter and the focus stay", () =>
  withPage("year", { zone: "Asia/Tokyo" }, async (page) => {
    const html = await readFile(join(folder, "year.html"), "utf8");
    const renew = () =>
      page.evaluate((html) => {
        document.body.innerHTML = new DOMParser().parseFromString(html, "text/html").body.innerHTML;
        document.dispatchEvent(new Event("milepost:update"));
      }, html);
    await page.fill(FIELD, "response time");
    await page.locator(FIELD).evaluate((field) => field.setSelectionRange(2, 4));
    const before = await page.evaluate(() => document.body.outerHTML);
    await renew();
    assert.equal(await page.evaluate(() => document.body.outerHTML), before);
    assert.ok(await focused(page, FIELD));
    assert.deepEqual(await page.locator(FIELD).evaluate((field) => [field.selectionStart, field.selectionEnd]), [2, 4]);
    await goTo(page, "#c1");
    await page.locator(CHART).first().hover();
    assert.equal((await shown(page, ".readout")).length, 1);
    await renew();
    assert.deepEqual(await shown(page, ".readout, .cursor"), []);
    await page.locator(CHART).first().focus();
    assert.equal((await shown(page, ".readout")).length, 1);
    // Said twice of one body, it is ready all the same.
    await page.evaluate(() => document.dispatchEvent(new Event("milepost:update")));
    assert.equal(await page.locator("search").count(), 1);
  }));

test("with the filter and a read-out in use, no barrier that axe-core finds", () =>
  withPage("year", {}, async (page) => {
    await page.fill(FIELD, "p95");
    assert.deepEqual(await violations(page), []);
    await goTo(page, "#c1");
    await page.locator(CHART).first().focus();
    assert.equal((await shown(page, ".readout")).length, 1);
    assert.deepEqual(await violations(page), []);
  }));

for (const width of [360, 768, 1280]) {
  test(`nothing moves while the page opens, ${width} wide`, () => {
    const prepare = (page) =>
      page.addInitScript(() => {
        window.shifts = [];
        const observer = new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => entry.value)));
        observer.observe({ type: "layout-shift", buffered: true });
      });
    return withPage("year", { width, prepare }, async (page) => {
      await page.waitForTimeout(300);
      assert.deepEqual(await page.evaluate(() => window.shifts), []);
      const [place, search] = [await page.locator(".find").boundingBox(), await page.locator("search").boundingBox()];
      assert.ok(search.height <= place.height, `${search.height} in ${place.height}`);
    });
  });
}

test("no other script runs", () =>
  withPage("year", {}, async (page, { complaints }) => {
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      const harm = '<img src="data:," onerror="window.ran = true"><a href="javascript:window.ran = true">x</a>';
      document.body.insertAdjacentHTML("beforeend", harm);
      document.body.lastElementChild.click();
      return new Promise((resolve) => setTimeout(() => resolve("ran" in window), 200));
    });
    assert.equal(ran, false);
    const isOfPolicy = (complaint) => complaint.includes("Content Security Policy");
    assert.ok(complaints.length >= 2 && complaints.every(isOfPolicy), complaints.join("\n"));
    complaints.length = 0;
  }));

test("unfolded groups stay unfolded while somebody filters", () =>
  withPage("year", {}, async (page) => {
    await unfold(page);
    const open = await page.locator("details[open]").count();
    await page.fill(FIELD, "install");
    await page.fill(FIELD, "");
    assert.equal(await page.locator("details[open]").count(), open);
  }));
