// Names from strangers are text: in the page, in its script, in its tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { unfold, withPage } from "./browser.mjs";

// The kinds of elements and attributes of a page.
const kinds = (page) =>
  page.evaluate(() => {
    const kinds = [...document.querySelectorAll("*")].flatMap((element) => [
      element.localName,
      ...element.getAttributeNames().map((name) => `${element.localName} ${name}`),
    ]);
    return [...new Set(kinds)].sort();
  });

test("hostile names add no element and no attribute, and nothing of theirs runs", async () => {
  let usual = [];
  await withPage("year", {}, async (page) => {
    await unfold(page);
    usual = await kinds(page);
  });
  await withPage("hostile", {}, async (page) => {
    await unfold(page);
    const found = await kinds(page);
    assert.deepEqual(found.filter((kind) => !usual.includes(kind)), []);
    assert.equal(await page.locator("script").count(), 1);
    const text = await page.evaluate(() => document.documentElement.outerHTML);
    assert.ok(text.includes("&lt;img src=x onerror=alert(1)&gt;"), "they are there");
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\0]/.test(text), "and turn nothing around");
  });
});

test("what is typed into the filter, and what a chart reads out, is text", () =>
  withPage("hostile", {}, async (page) => {
    const before = await kinds(page);
    await page.fill("search input[type=search]", "<img src=x onerror=alert(1)>");
    assert.match(await page.locator("search [role=status]").textContent(), /^\d+ of \d+ criteria/);
    assert.ok((await page.locator(".criterion:not([hidden])").count()) > 5, "it finds the names");
    for (const chart of await page.locator("svg[role=slider]:visible").all()) await chart.focus();
    const after = await kinds(page);
    const ours = ["article hidden", "line class", "section hidden", "tr hidden", "details open", "div style", "div aria-hidden"];
    assert.deepEqual(after.filter((kind) => !before.includes(kind) && !ours.includes(kind)), []);
  }));

test("of five hundred groups the page shows some and says how many it leaves out", () =>
  withPage("hostile", {}, async (page) => {
    const groups = page.locator(".criterion").first().locator("details", { has: page.locator(".groups") });
    assert.equal(await groups.locator("tbody tr").count(), 20);
    assert.match(await groups.textContent(), /and 480 more/);
  }));
