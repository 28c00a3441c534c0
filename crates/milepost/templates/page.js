// What the page can do beyond being read: times in the reader's zone, a read-out on charts, a filter. Without it, all is there.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const set = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  const day = { day: "numeric", month: "short", year: "numeric" };

  // Times

  const moments = new Intl.DateTimeFormat("en-GB", { ...day, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

  function tellTimes() {
    for (const time of all("time[datetime*=T]:not([title])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const here = moments.format(at);
      // An age stays an age.
      const rewritten = time.textContent.endsWith(" UTC");
      time.title = rewritten ? time.textContent : here;
      if (rewritten) time.textContent = here;
    }
  }

  // Charts: the numbers are those of the table that a chart names.

  const DAY_MS = 86_400_000;
  const days = new Intl.DateTimeFormat("en-GB", { ...day, timeZone: "UTC" });
  const known = new WeakMap();
  const readout = make("div", { className: "readout", ariaHidden: "true" });
  let cursor;
  let read;

  // The days of a chart from left to right, each with its place (0 to 1). A row of its table is a month, a week of days, or a day.
  function points(chart) {
    if (known.has(chart)) return known.get(chart);
    const table = document.getElementById(chart.getAttribute("aria-details"));
    const found = [];
    const add = (at, words) => found.push({ at, words: `${days.format(at)}: ${words}` });
    let first = chart.dataset.first ? Date.parse(chart.dataset.first) : undefined;
    for (const month of all("tr[data-from]", table ?? chart)) {
      const [when, told] = [...month.cells].map((cell) => cell.textContent.trim());
      const [range, n] = told.split(", ");
      const from = Date.parse(month.dataset.from);
      first ??= from;
      found.push({ at: from + (month.dataset.span / 2) * DAY_MS, words: `${when}: ${range}${table.dataset.unit}, ${n}` });
    }
    for (const week of all("tr[data-monday]", table ?? chart)) {
      const counts = week.dataset.n.split(" ");
      all("td", week).forEach((cell, weekday) => {
        const value = cell.textContent.trim();
        const amount = value === "∞" ? "no finite value" : value + table.dataset.unit;
        if (value) add(Date.parse(week.dataset.monday) + weekday * DAY_MS, `${amount}, n\u00a0${counts[weekday]}`);
      });
    }
    first ??= found[0]?.at;
    const rows = chart.dataset.days?.split(" ") ?? [];
    for (const [index, after] of rows.entries()) {
      const row = table.tBodies[0].rows[index];
      const told = [...row.cells].slice(1).filter((cell) => cell.textContent.trim());
      const words = told.map((cell) => `${table.tHead.rows[0].cells[cell.cellIndex].textContent.trim()} ${cell.textContent.trim()}`);
      add(first + after * DAY_MS, words.join(", "));
    }
    const span = chart.dataset.span * DAY_MS;
    for (const point of found) point.x = span > 0 ? (point.at - first) / span : 1;
    known.set(chart, found);
    return found;
  }

  function show(chart, index) {
    const of = points(chart);
    read = { chart, index: Math.max(0, Math.min(index, of.length - 1)) };
    const { x, words } = of[read.index];
    cursor ??= document.createElementNS(chart.namespaceURI, "line");
    set(cursor, { class: "cursor", x1: `${100 * x}%`, x2: `${100 * x}%`, y2: "100%" });
    chart.append(cursor);
    readout.textContent = words;
    document.body.append(readout);
    const [box, own] = [chart, readout].map((element) => element.getBoundingClientRect());
    const [left, most] = [box.left + box.width * x - own.width / 2, document.documentElement.clientWidth - own.width - 4];
    // It touches the chart, so that a pointer can go from one to the other.
    const top = box.top > own.height ? box.top - own.height : box.bottom;
    readout.style.left = `${scrollX + Math.max(4, Math.min(left, most))}px`;
    readout.style.top = `${scrollY + top}px`;
    if (chart.tabIndex === 0) set(chart, { "aria-valuenow": read.index + 1, "aria-valuetext": words });
  }

  function hide() {
    readout.remove();
    cursor?.remove();
    read = undefined;
  }

  // A slider is what arrow keys reach with a screen reader too. A chart within a link is left to the link.
  function prepareCharts() {
    for (const chart of all("svg[data-span][role=img]").filter((chart) => points(chart).length > 0)) {
      const title = chart.querySelector("title");
      set(chart, { "aria-label": title?.textContent ?? "" });
      // Else the browser shows it beside the read-out.
      title?.remove();
      if (chart.closest("a")) continue;
      const of = points(chart);
      const now = { "aria-valuenow": of.length, "aria-valuetext": of.at(-1).words };
      set(chart, { role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": of.length, ...now });
    }
  }

  document.addEventListener("pointermove", (event) => {
    if (readout.contains(event.target)) return;
    const chart = event.target.closest?.("svg[data-span]");
    const of = chart ? points(chart) : [];
    if (of.length === 0) {
      if (read && read.chart !== document.activeElement) hide();
      return;
    }
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const distances = of.map((point) => Math.abs(point.x - x));
    show(chart, distances.indexOf(Math.min(...distances)));
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("svg[role=slider]")) show(target, target.ariaValueNow - 1);
    wasInFilter = search.contains(target);
  });
  document.addEventListener("focusout", hide);

  function onChart(event) {
    const from = event.target.ariaValueNow - 1;
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, PageDown: from - 7, PageUp: from + 7 };
    const next = { ...to, Home: 0, End: Infinity }[event.key];
    if (next === undefined) return false;
    show(event.target, next);
    return true;
  }

  // The filter

  const field = make("input", { type: "search", id: "find-text", autocomplete: "off", spellcheck: false });
  const label = make("label", { htmlFor: field.id, textContent: "Filter by name or verdict" });
  const status = make("p", { className: "soft", role: "status" });
  // Who speaks to the computer can turn single keys off (WCAG 2.1.4).
  const keys = make("input", { type: "checkbox", checked: true });
  const kbd = (textContent) => make("kbd", { textContent });
  const keysLabel = make("label", {}, keys, " Keys: ", kbd("/"), " filter, ", kbd("j"), " ", kbd("k"), " next and back");
  const search = make("search", {}, label, field, status, keysLabel);

  const text = (element) => element?.textContent.toLowerCase() ?? "";
  const opened = new WeakSet();
  let wasInFilter = false;

  // Hides what does not hold all words: criteria, and where only some groups of one do, its other groups.
  function filter() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (of) => words.every((word) => of.includes(word));
    const criteria = all(".criterion");
    hide();
    let groups = 0;
    for (const criterion of criteria) {
      const whole = holds(text(criterion.querySelector("header")));
      const name = text(criterion.querySelector("h3"));
      let some = false;
      for (const row of all(".groups tbody tr", criterion)) {
        const fits = holds(`${name} ${text(row.cells[0])} ${text(row.cells[1])}`);
        row.hidden = !whole && !fits;
        groups += fits;
        some ||= fits;
        const details = row.closest("details");
        if (!whole && fits && !details.open) opened.add(details);
        if (opened.has(details)) details.open = !whole && (fits || details.open);
      }
      criterion.hidden = !whole && !some;
    }
    for (const tier of all(".tier")) tier.hidden = all(".criterion:not([hidden])", tier).length === 0;
    const shown = criteria.filter((criterion) => !criterion.hidden).length;
    const among = groups > 0 ? `, ${groups} group${groups === 1 ? "" : "s"}` : "";
    status.textContent = words.length > 0 ? `${shown} of ${criteria.length} criteria${among}` : `${criteria.length} criteria`;
  }

  function clear() {
    field.value = "";
    filter();
  }

  // The criterion `by` places after the one that has the focus, or that the address names.
  function go(by) {
    const criteria = all(".criterion:not([hidden])");
    const here = criteria.indexOf(document.activeElement.closest(".criterion") ?? document.querySelector(".criterion:target"));
    const next = criteria[here < 0 ? (by > 0 ? 0 : criteria.length - 1) : here + by];
    if (!next) return;
    // Where each criterion is a view of its own, its address shows it.
    if (next.getClientRects().length === 0) location.hash = next.id;
    const heading = next.querySelector("h3");
    heading.tabIndex = -1;
    heading.focus();
  }

  function find() {
    if (field.getClientRects().length === 0) location.hash = document.querySelector("main").id;
    field.focus();
  }

  function onField({ key }) {
    if (key === "Escape") clear();
    else if (key === "ArrowDown" || key === "Enter") go(1);
    else return false;
    return true;
  }

  function onPage({ key }) {
    if (key === "Escape") hide();
    else if (!keys.checked || !search.isConnected) return false;
    else if (key === "/") find();
    else if (key === "j") go(1);
    else if (key === "k") go(-1);
    else return false;
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const isTyping = target.matches("input:not([type=checkbox]), textarea, select");
    const done = target === field ? onField(event) : (target.matches("svg[role=slider]") && onChart(event)) || (!isTyping && onPage(event));
    if (done) event.preventDefault();
  });
  field.addEventListener("input", filter);

  // A link to what the filter hides has to lead there.
  addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target?.closest("[hidden]")) return;
    clear();
    target.scrollIntoView();
  });

  // Once for each body: the live page replaces it, and says so. The field stays, with what was typed and the focus.
  function begin() {
    hide();
    tellTimes();
    prepareCharts();
    const place = document.querySelector(".find");
    if (!place || place.contains(search)) return;
    place.replaceChildren(search);
    filter();
    if (wasInFilter) field.focus({ preventScroll: true });
  }

  document.addEventListener("milepost:update", begin);
  begin();
})();
