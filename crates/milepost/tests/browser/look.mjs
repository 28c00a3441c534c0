// What a page looks like, and who can use it: in light and dark, from a telephone to a wall, with keys alone, on paper, without script.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { PAGES, SCHEMES, folder, goTo, samples, unfold, views, violations, withPage } from "./browser.mjs";

const WIDTHS = [360, 768, 1280, 3840];

// Two at a time, as each is the work of one processor.
describe("no barrier that axe-core finds", { concurrency: 2 }, () => {
  for (const name of PAGES) {
    // Dark differs in colours only, which are those of every page.
    for (const scheme of ["year", "empty"].includes(name) ? SCHEMES : ["light"]) {
      for (const width of name === "year" && scheme === "light" ? [360, 1280] : [1280]) {
        test(`${name}, ${scheme}, ${width} wide`, () =>
          withPage(name, { scheme, width }, async (page) => {
            const all = await views(page);
            if (name === "year") await unfold(page);
            for (const view of samples(all)) {
              await goTo(page, view);
              assert.deepEqual(await violations(page), [], view);
            }
          }));
      }
    }
  }
});

for (const name of PAGES) {
  test(`${name}: nothing reaches beyond the window, however wide`, () =>
    withPage(name, {}, async (page) => {
      const all = await views(page);
      for (const folded of [true, false]) {
        if (!folded) await unfold(page);
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 900 });
          for (const view of samples(all)) {
            await goTo(page, view);
            const { scrollWidth, clientWidth } = await page.evaluate(() => {
              const { scrollWidth, clientWidth } = document.documentElement;
              return { scrollWidth, clientWidth };
            });
            assert.ok(scrollWidth <= clientWidth, `${view} at ${width}: ${scrollWidth}`);
          }
        }
      }
    }));

  test(`${name}: without script, all is there`, async () => {
    // The script adds the filter and writes times anew.
    const text = (page) =>
      page.evaluate(() => {
        document.querySelectorAll("script, .find, time, svg").forEach((part) => part.remove());
        return document.body.textContent.replace(/\s+/g, " ");
      });
    let [plain, scripted] = [];
    await withPage(name, { script: false }, async (page) => {
      assert.equal(await page.locator("search").count(), 0);
      plain = await text(page);
    });
    await withPage(name, {}, async (page) => (scripted = await text(page)));
    assert.equal(plain, scripted);
  });

  test(`${name}: on paper, every criterion and every section is there`, () =>
    withPage(name, { media: "print" }, async (page) => {
      const hidden = await page.evaluate(() => {
        const parts = [...document.querySelectorAll("main section, main article")];
        return parts.filter((part) => part.getClientRects().length === 0).map((part) => part.id);
      });
      assert.deepEqual(hidden, []);
      const pdf = await page.pdf({ format: "A4" });
      assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
      await writeFile(join(folder, `${name}.pdf`), pdf);
    }));
}

// What can have the focus now, in the order of the page.
const FOCUSABLE = 'a[href], summary, input, button, [tabindex="0"]';

for (const name of ["year", "hostile"]) {
  test(`${name}: the Tab key reaches every link and every summary, and the focus is seen`, () =>
    withPage(name, {}, async (page) => {
      for (const view of samples(await views(page))) {
        await goTo(page, view);
        const wanted = await page.evaluate((selector) => {
          const there = [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility({ visibilityProperty: true }));
          there.forEach((element, place) => (element.dataset.place = place));
          // From here on, also where the address has led further down.
          there[0].focus();
          return there.length;
        }, FOCUSABLE);
        assert.ok(wanted > 5, `${wanted} in ${view}`);
        for (let place = 1; place < wanted; place++) {
          await page.keyboard.press("Tab");
          const { html, ...focus } = await page.evaluate(() => {
            const [element, box] = [document.activeElement, document.activeElement.getBoundingClientRect()];
            const { outlineStyle, outlineWidth } = getComputedStyle(element);
            const isSeen = box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight;
            const hasOutline = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
            return { place: element.dataset.place, isSeen, hasOutline, html: element.outerHTML.slice(0, 200) };
          });
          assert.deepEqual(focus, { place: String(place), isSeen: true, hasOutline: true }, `${view} ${html}`);
        }
      }
    }));
}

test("the skip link leads to the criteria", () =>
  withPage("year", {}, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "quiet skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
  }));

test("every view is at most two links away", () =>
  withPage("year", {}, async (page) => {
    const linked = () =>
      page.evaluate(() => [...document.querySelectorAll('a[href^="#"]')].filter((link) => link.checkVisibility()).map((link) => link.hash));
    const all = await page.evaluate(() => [...document.querySelectorAll('a[href^="#"]')].map((link) => link.hash));
    const near = new Set(await linked());
    for (const view of await views(page)) {
      if (view !== "" && !near.has(view)) continue;
      await goTo(page, view);
      for (const hash of await linked()) near.add(hash);
    }
    assert.deepEqual(all.filter((hash) => !near.has(hash)), []);
  }));

test("every view has its picture", () =>
  Promise.all(
    SCHEMES.flatMap((scheme) =>
      [360, 768, 1280].map((width) =>
        withPage("year", { scheme, width }, async (page) => {
          for (const view of samples(await views(page))) {
            await goTo(page, view);
            const path = join(folder, `year-${scheme}-${width}${view.replace("#", "-")}.png`);
            // Six long pages at once take their time where something else is busy.
            await page.screenshot({ path, fullPage: true, timeout: 60_000 });
          }
        }),
      ),
    ),
  ));

test("the picture of the README", () =>
  withPage("year", {}, (page) => page.screenshot({ path: join(folder, "readme.png") })));
