// `cargo xtask bench page` runs this: how soon a page shows something to somebody who opens it, anew in each round.
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { withPage } from "./browser.mjs";

const ROUNDS = 9;
const url = pathToFileURL(process.argv[2]).href;

// From the beginning of the navigation, in milliseconds.
const painted = () =>
  new Promise((resolve) => {
    const take = (list) => list.getEntriesByName("first-contentful-paint").forEach((entry) => resolve(entry.startTime));
    new PerformanceObserver(take).observe({ type: "paint", buffered: true });
  });

test("painted", async () => {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) await withPage(url, {}, async (page) => rounds.push(await page.evaluate(painted)));
  rounds.sort((a, b) => a - b);
  console.log(`painted ${rounds[Math.floor(ROUNDS / 2)]} ${rounds[ROUNDS - 1]}`);
});
