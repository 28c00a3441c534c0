// A closer look at the charts: with a pointer, with keys, with a finger; all charts of days go along, and nothing is stretched.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { folder, goTo as lead, violations, withPage } from "./browser.mjs";

const DAYS = "#performance svg.days";
const BAR = "aside.zoom";
const SPAN = `${BAR} span`;

// What a view shows is laid out once the page is told that it is there.
async function goTo(page, hash) {
  await lead(page, hash);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
}

async function drag(page, chart, from, to) {
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * ((from + to) / 2), y);
  await page.mouse.move(box.x + box.width * to, y);
  await page.mouse.up();
}

const ends = (page, within) => page.locator(`${within} .ends`).first().locator("> *").allTextContents();
// All charts and tables, as they are written.
const written = (page, selector) =>
  page.evaluate((selector) => {
    document.querySelectorAll(".cursor").forEach((cursor) => cursor.remove());
    return [...document.querySelectorAll(selector)].map((element) => element.outerHTML.replace(/ aria-value\w+="[^"]*"/g, ""));
  }, selector);
const day = (text) => Date.parse(`${text} UTC`);

test("dragging over days shows them alone, on every chart of days, and leaves the tables alone", () =>
  withPage("year", {}, async (page) => {
    await goTo(page, "#performance");
    const [tables, charts] = [await written(page, "table"), await written(page, "svg[data-first]")];
    const whole = await ends(page, "#performance");
    await drag(page, page.locator(DAYS).first(), 0.75, 0.9);
    const [from, to] = (await page.locator(SPAN).textContent()).split(" to ");
    const [first, last] = whole.map(day);
    const share = (text) => (day(text) - first) / (last - first);
    assert.ok(Math.abs(share(from) - 0.75) < 0.01 && Math.abs(share(to) - 0.9) < 0.01, `${from} ${to} of ${whole}`);
    for (const view of ["performance", "errors", "history", "code", "c1"]) {
      await goTo(page, `#${view}`);
      assert.deepEqual(await ends(page, `#${view}`), [from, to], view);
    }
    assert.deepEqual(await written(page, "table"), tables);
    await goTo(page, "#memory");
    assert.equal(await page.locator("#memory .closer").count(), 0, "a run is no days");

    // The cards stay as they are, and so does what they read out.
    await goTo(page, "");
    assert.equal(await page.locator(".cards .closer").count(), 0);
    await page.locator(".cards svg.days").first().hover({ position: { x: 1, y: 10 } });
    assert.match(await page.locator(".readout").textContent(), /^25 Nov 2025 to /);

    // The pointer reads what is seen there now.
    await goTo(page, "#performance");
    const chart = page.locator(DAYS).first();
    const { width } = await chart.boundingBox();
    await chart.hover({ position: { x: 1, y: 20 } });
    assert.ok((await page.locator(".readout").textContent()).startsWith(`${from}: `));
    await chart.hover({ position: { x: width - 1, y: 20 } });
    assert.ok((await page.locator(".readout").textContent()).startsWith(`${to}: `));
    assert.deepEqual(await violations(page), []);

    await page.getByRole("button", { name: "Show all" }).click();
    await page.locator("h1").click();
    assert.equal(await page.locator(BAR).count(), 0);
    await page.mouse.move(5, 5);
    for (const view of ["errors", "history", "code", "c1", ""]) await goTo(page, `#${view}`);
    const restored = await written(page, "svg[data-first]");
    const differs = restored.filter((chart, place) => chart.replace(/ class="[^"]*"/, "") !== charts[place].replace(/ class="[^"]*"/, ""));
    assert.deepEqual(differs.map((chart) => chart.slice(0, 300)), []);
    await goTo(page, "#performance");
    assert.deepEqual(await ends(page, "#performance"), whole);
  }));

test("nothing is stretched: lines stay thin, texts upright, and what stands below is where it belongs", () =>
  withPage("year", {}, async (page) => {
    await goTo(page, "#c1");
    const chart = page.locator("#c1 svg.growth");
    const seen = () =>
      chart.evaluate((chart) => {
        const box = chart.getBoundingClientRect();
        const texts = [...chart.querySelectorAll("text")].map((text) => text.getBoundingClientRect().height);
        const dates = [...chart.querySelectorAll(".dates text")].map((text) => [text.textContent, parseFloat(text.getAttribute("x")) / 100]);
        const outside = [...chart.querySelectorAll(".times > :not([viewBox])")].filter((element) => {
          const { left, right, width } = element.getBoundingClientRect();
          return width + right > 0 && (right < box.left - 9 || left > box.right + 9);
        });
        return { texts: [...new Set(texts.map(Math.round))], dates, outside: outside.length, labels: chart.textContent.match(/\d+ ms/g)?.length };
      });
    const before = await seen();
    await drag(page, chart, 0.5, 0.7);
    const after = await seen();
    assert.deepEqual([after.texts, after.labels, after.outside], [before.texts, before.labels, 0]);
    const [from, to] = (await page.locator(SPAN).textContent()).split(" to ").map(day);
    assert.ok(after.dates.length > 2 && after.dates.length < 15, JSON.stringify(after.dates));
    for (const [label, x] of after.dates) {
      const year = /\d{4}/.test(label) ? "" : ` ${new Date(from).getUTCFullYear()}`;
      assert.ok(Math.abs(from + x * (to - from) - day(`${label}${year}`)) < 4e6, `${label} at ${x}`);
    }
    const paths = await page.evaluate(() => {
      const stretched = [...document.querySelectorAll('svg[data-first] svg[preserveAspectRatio="none"] path')];
      const drawn = stretched.map((path) => getComputedStyle(path)).filter(({ stroke }) => stroke !== "none");
      return [drawn.length, drawn.filter(({ vectorEffect }) => vectorEffect !== "non-scaling-stroke").length];
    });
    assert.ok(paths[0] > 20 && paths[1] === 0, `${paths}`);
  }));

test("keys look closer, move on and come back", () =>
  withPage("year", {}, async (page) => {
    await goTo(page, "#performance");
    const chart = page.locator(DAYS).first();
    const whole = await ends(page, "#performance");
    const shown = async () => (await ends(page, "#performance")).map(day);
    const length = async () => (([from, to]) => (to - from) / 86_400_000)(await shown());
    const days = await length();
    await chart.focus();
    for (const keys of [1, 2]) {
      await page.keyboard.press("+");
      assert.ok(Math.abs((await length()) - days / 2 ** keys) <= 1, `${await length()} of ${days}`);
    }
    // The newest day is what had the focus.
    assert.equal((await ends(page, "#performance"))[1], whole[1]);
    const [before] = await shown();
    for (let n = 0; n < 30; n++) await page.keyboard.press("ArrowLeft");
    assert.ok((await shown())[0] < before, "it moves along");
    const read = await chart.getAttribute("aria-valuetext");
    const [from, to] = await shown();
    assert.ok(day(read.split(":")[0]) >= from && day(read.split(":")[0]) <= to, read);
    for (let n = 0; n < 9; n++) await page.keyboard.press("+");
    assert.equal(await length(), 2);
    await page.keyboard.press("Escape");
    assert.deepEqual(await ends(page, "#performance"), whole);
    await page.keyboard.press("+");
    await page.keyboard.press("-");
    assert.deepEqual(await ends(page, "#performance"), whole);
    // Where no chart has the focus, the first one on the page is meant.
    await goTo(page, "#history");
    await page.locator("h1").click();
    await page.keyboard.press("+");
    assert.equal(await page.locator("#history .closer").count(), await page.locator("#history svg.p-record").count());
    // The buttons are reached like everything else.
    await page.getByRole("button", { name: "Closer" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Wider" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#history .closer").count(), 0);
  }));

test("a run is looked at by minutes, whose moments are those of the reader's zone", () =>
  withPage("year", { zone: "Asia/Tokyo" }, async (page) => {
    await goTo(page, "#memory");
    const chart = page.locator("#memory svg.p-plot").first();
    const labels = () => chart.locator(".dates text").allTextContents();
    assert.deepEqual(await labels(), ["0", "1 h", "2 h", "3 h", "4 h", "5 h"]);
    await drag(page, chart, 0.1, 0.3);
    assert.ok((await labels()).every((label) => /^\d+ min$/.test(label)), `${await labels()}`);
    assert.match(await page.locator(SPAN).textContent(), /^22 Nov 2026, 18:\d\d GMT\+9 to 22 Nov 2026, 19:\d\d GMT\+9$/);
    assert.equal(await page.locator("#memory .closer").count(), 2);
    await chart.hover();
    assert.match(await page.locator(".readout").textContent(), /^22 Nov 2026, 1[89]:\d\d GMT\+9: Lowest \d+.MB, Median \d+.MB, Highest \d+.MB$/);
    await page.mouse.move(5, 5);
    await chart.dblclick();
    assert.deepEqual([await page.locator(".closer").count(), await labels()], [0, ["0", "1 h", "2 h", "3 h", "4 h", "5 h"]]);
  }));

test("a finger that moves over a chart scrolls, and one that touches it finds buttons", () =>
  withPage("year", { touch: true, width: 400 }, async (page, { context }) => {
    await goTo(page, "#performance");
    const chart = page.locator(DAYS).first();
    await chart.scrollIntoViewIfNeeded();
    const [box, before] = [await chart.boundingBox(), await page.evaluate(() => scrollY)];
    const client = await context.newCDPSession(page);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const touch = (type, ...touchPoints) => client.send("Input.dispatchTouchEvent", { type, touchPoints });
    await touch("touchStart", { x, y });
    for (let moved = 20; moved <= 200; moved += 20) {
      await touch("touchMove", { x: x - moved / 4, y: y - moved });
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    await touch("touchEnd");
    await page.waitForFunction((before) => scrollY > before + 100, before);
    assert.equal(await page.locator(".closer").count(), 0);
    await chart.tap();
    await page.getByRole("button", { name: "Closer" }).tap();
    assert.ok((await page.locator("#performance .closer").count()) > 2);
    await page.getByRole("button", { name: "Show all" }).tap();
    assert.equal(await page.locator(".closer").count(), 0);
  }));

test("what is looked at stays when the live page brings a new body", () =>
  withPage("year", {}, async (page) => {
    const html = await readFile(join(folder, "year.html"), "utf8");
    await goTo(page, "#errors");
    await drag(page, page.locator("#errors svg.p-days").first(), 0.6, 0.8);
    const before = await ends(page, "#errors");
    await page.evaluate(async (html) => {
      document.body.innerHTML = new DOMParser().parseFromString(html, "text/html").body.innerHTML;
      document.dispatchEvent(new Event("milepost:update"));
      location.replace(location.hash);
      for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    }, html);
    assert.deepEqual(await ends(page, "#errors"), before);
    assert.equal(await page.locator(BAR).count(), 1);
  }));
