// One browser for all tests, and what holds of every page that it opens: nothing is asked of a network, nothing is complained about.
//
// The folder that MILEPOST_PAGES names has the pages, the packages, and takes the screenshots.
import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";

export const folder = process.env.MILEPOST_PAGES;
const packages = createRequire(join(folder, "package.json"));
const { chromium } = packages("playwright-core");
const { source: axe } = packages("axe-core");

export const PAGES = ["year", "empty", "met", "hostile"];
export const SCHEMES = ["light", "dark"];

const browser = await chromium.launch({
  executablePath: program("chromium", "chromium-browser", "google-chrome"),
  args: [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
  ],
});
after(() => browser.close());

function program(...names) {
  const candidates = process.env.PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  const isThere = (path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return candidates.find(isThere) ?? assert.fail("there is no chromium");
}

export const address = (name) => pathToFileURL(join(folder, `${name}.html`)).href;

// Opens a page, has `look` at it, and then wants to know that it asked for nothing but itself and complained about nothing.
export async function withPage(name, options, look) {
  const { width = 1280, height = 900, scheme = "light", script = true, zone = "UTC", media, prepare, touch = false } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce",
    javaScriptEnabled: script,
    timezoneId: zone,
    hasTouch: touch,
  });
  try {
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const [requests, complaints] = [[], []];
    context.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await prepare?.(page);
    const url = /^(https?|file):/.test(name) ? name : address(name);
    await page.goto(url);
    if (media) await page.emulateMedia({ media });
    await look(page, { context, complaints });
    const own = new URL(url);
    assert.deepEqual(requests.filter((request) => new URL(request).host !== own.host || (own.protocol === "file:" && request !== url)), []);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

// What axe-core finds wrong by the rules of WCAG 2.2 AA and by good practice, each with the place where it is. Of each table it
// leaves eight rows, since all are alike and a year of days has thousands of cells.
export async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  await page.evaluate(() => document.querySelectorAll("tr:nth-of-type(n+9)").forEach((row) => row.remove()));
  return page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await window.axe.run({ runOnly: tags, resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => {
      const [{ target, failureSummary, html }] = nodes;
      return `${id} (${nodes.length}): ${target} ${failureSummary} ${html.slice(0, 200)}`;
    });
  });
}

// The views of a page, each by its address: a link leads there, and what is seen there is not what another view shows.
export async function views(page) {
  return page.evaluate(async () => {
    const before = location.hash;
    const hashes = ["", ...new Set([...document.querySelectorAll('a[href^="#"]')].map((link) => link.hash))];
    const seen = new Map();
    for (const hash of hashes) {
      location.hash = hash;
      await new Promise(requestAnimationFrame);
      const shown = [...document.querySelectorAll("section, article")].filter((part) => part.getClientRects().length > 0);
      const what = shown.map((part) => part.id || part.getAttribute("aria-labelledby")).join(" ");
      if (!seen.has(what)) seen.set(what, hash);
    }
    location.hash = before;
    return [...seen.values()];
  });
}

// Of views that differ in a number only, as those of criteria do, the first three.
export function samples(views) {
  const [chosen, counts] = [[], new Map()];
  for (const view of views) {
    const kind = view.replace(/\d+/g, "");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (counts.get(kind) <= 3) chosen.push(view);
  }
  return chosen;
}

export const goTo = (page, hash) =>
  page.evaluate(async (hash) => {
    location.hash = hash;
    await new Promise(requestAnimationFrame);
  }, hash);

export const unfold = (page) => page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
