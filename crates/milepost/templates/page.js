// What the page can do beyond being read: times in the reader's zone, a read-out on charts, a closer look, a filter. Without it, all is there.
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

  // What there is to read on a chart, from left to right. A row of its table is a month, a week of days, or a day or time of its own.
  function points(chart) {
    if (known.has(chart)) return known.get(chart);
    const table = document.getElementById(chart.getAttribute("aria-details"));
    const found = [];
    const unit = unitOf(chart);
    const tell = unit < DAY_MS ? moments : days;
    const add = (at, words) => found.push({ at, words: `${tell.format(at)}: ${words}` });
    const first = Date.parse(table?.dataset.first ?? chart.dataset.first);
    for (const [index, place] of (table?.dataset.rows?.split(" ") ?? []).entries()) {
      const { cells, dataset } = table.rows[index + 1];
      const [after, span] = place.split("+").map(Number);
      const [when, ...told] = [...cells].map((cell) => cell.textContent.trim());
      if (span !== undefined) {
        const [range, n] = told[0].split(", ");
        found.push({ at: first + (after + span / 2) * unit, words: `${when}: ${range}${table.dataset.unit}, ${n}` });
      }
      for (const [weekday, n] of (dataset.n?.split(" ") ?? []).entries()) {
        const value = told[weekday];
        const amount = value === "∞" ? "no finite value" : value + table.dataset.unit;
        if (value) add(first + (after + weekday) * unit, `${amount}, n\u00a0${n}`);
      }
    }
    const columns = chart.dataset.columns?.split(" ").map(Number);
    for (const [index, after] of (table?.dataset.days?.split(" ") ?? []).entries()) {
      const told = [...table.tBodies[0].rows[index].cells].filter(
        (cell) => (columns?.includes(cell.cellIndex) ?? cell.cellIndex > 0) && cell.textContent.trim(),
      );
      const words = told.map((cell) => `${table.tHead.rows[0].cells[cell.cellIndex].textContent.trim()} ${cell.textContent.trim()}`);
      if (words.length > 0) add(first + after * unit, words.join(", "));
    }
    found.sort((a, b) => a.at - b.at);
    known.set(chart, found);
    return found;
  }

  function show(chart, index) {
    const of = points(chart);
    read = { chart, index: Math.max(0, Math.min(index, of.length - 1)) };
    const { at, words } = of[read.index];
    const [from, to] = seen(chart);
    if (at < from || at > to) return zoom(chart, at - (to - from) / 2, at + (to - from) / 2);
    const x = to > from ? (at - from) / (to - from) : 1;
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
    if (!zoomed) leave();
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

  // A closer look: at a span of all charts of days, or of all of one run. A script that stretched them would stretch texts and signs too,
  // so each is laid out anew: shares of its width move, lines keep theirs, and what stands below tells the span.

  const TIMES = "svg[data-first]";
  const laid = new WeakMap();
  const laidFor = new WeakMap();
  let zoomed;
  let drag;

  const unitOf = (chart) => Number(chart.dataset.every ?? DAY_MS);
  const isFree = (chart) => chart && !chart.closest("a");

  // From when to when a chart goes. A bar reaches half a day to both sides of its middle.
  function whole(chart) {
    const from = Date.parse(chart.dataset.first);
    return [from, from + (chart.dataset.span - ("bars" in chart.dataset)) * unitOf(chart)];
  }

  const chosen = (chart) => (isFree(chart) && zoomed?.unit === unitOf(chart) ? zoomed.ends : whole(chart));

  function seen(chart, [from, to] = chosen(chart)) {
    const half = "bars" in chart.dataset ? DAY_MS / 2 : 0;
    return [from - half, to + half];
  }

  const timeAt = (chart, { clientX }) => {
    const [box, [from, to]] = [chart.getBoundingClientRect(), seen(chart)];
    return from + Math.max(0, Math.min((clientX - box.left) / box.width, 1)) * (to - from);
  };

  // Round times within a span, each with its label.
  function ticks(chart) {
    const [[from, to], [begin]] = [seen(chart), whole(chart)];
    const most = Math.max(2, chart.getBoundingClientRect().width / 110);
    const found = [];
    const every = (step, first, label) => {
      for (let at = first + Math.ceil((from - first) / step) * step; at <= to; at += step) found.push([at, label(at)]);
    };
    const fits = (unit) => (steps) => (to - from) / (steps * unit) <= most;
    if (unitOf(chart) < DAY_MS) {
      const [hour, minute] = [3_600_000, 60_000];
      const step = ([1, 2, 5, 10, 15, 30, 60, 120, 240, 480].find(fits(minute)) ?? 1440) * minute;
      every(step, begin, (at) => (step < hour ? `${(at - begin) / minute} min` : `${(at - begin) / hour} h`));
      return found;
    }
    const step = [1, 2, 7, 14].find(fits(DAY_MS));
    // The fourth day of all was a Monday.
    if (step) every(step * DAY_MS, 4 * DAY_MS, (at) => short.format(at));
    else {
      const months = [1, 2, 3, 6].find(fits(30 * DAY_MS)) ?? 12;
      const start = new Date(from);
      for (let n = 0, at; (at = Date.UTC(start.getUTCFullYear(), n)) <= to; n += months) if (at >= from) found.push([at, month.format(at)]);
    }
    return found;
  }

  const short = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const month = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });
  const percent = (share) => `${+(100 * share).toFixed(3)}%`;
  const PLACES = ["x", "x1", "x2", "cx"];

  // What an element was before.
  const before = (element, of) => laid.get(element) ?? (laid.set(element, of()), laid.get(element));

  function lay(chart) {
    const [[first, last], [from, to]] = [seen(chart, whole(chart)), seen(chart)];
    const length = last - first || 1;
    const [begin, part] = [(from - first) / length, (to - from) / length];
    const at = (place) => (parseFloat(place ?? 0) / 100 - begin) / part;
    for (const element of all(":scope > .times > *", chart)) {
      const own = before(element, () =>
        Object.fromEntries(["viewBox", "width", ...PLACES].map((name) => [name, element.getAttribute(name)]).filter(([, value]) => value)),
      );
      if (own.viewBox) {
        const [, , width, height] = own.viewBox.split(",");
        set(element, { viewBox: `${begin * width},0,${part * width},${height}` });
        continue;
      }
      let isSeen = true;
      if (own.width) {
        const ends = [at(own.x), at(parseFloat(own.x ?? 0) + parseFloat(own.width))].map((end) => Math.max(0, Math.min(end, 1)));
        isSeen = ends[1] > ends[0];
        set(element, { x: percent(ends[0]), width: percent(ends[1] - ends[0]) });
      } else {
        for (const name of PLACES.filter((name) => own[name])) {
          const place = at(own[name]);
          isSeen &&= place > -1e-4 && place < 1.0001;
          set(element, { [name]: percent(place) });
        }
      }
      element.toggleAttribute("hidden", !isSeen);
    }
    const isWhole = begin === 0 && part === 1;
    chart.classList.toggle("closer", !isWhole);
    const dates = chart.querySelector(".dates");
    if (dates?.firstElementChild) {
      const own = before(dates, () => [...dates.children]);
      const [line, label] = own.map((element) => element.cloneNode(true));
      const tick = ([time, words]) => {
        const place = (time - from) / (to - from);
        set(line, { x1: percent(place), x2: percent(place) });
        set(label, { x: percent(place), "text-anchor": place > 0.92 ? "end" : "middle" });
        label.textContent = words;
        return [line.cloneNode(true), label.cloneNode(true)];
      };
      dates.replaceChildren(...(isWhole ? own : ticks(chart).flatMap(tick)));
    }
    // The nearest line with begin and end.
    let ends;
    for (let near = chart.parentElement; near && !ends && !near.matches("section, article"); near = near.parentElement) {
      ends = near.querySelector(":scope > .ends");
    }
    if (!ends) return;
    const own = before(ends, () => [...ends.childNodes]);
    const now = () => name(unitOf(chart), zoomed.ends).map((textContent) => make("span", { textContent }));
    ends.replaceChildren(...(isWhole ? own : now()));
  }

  const name = (unit, ends) => ends.map((at) => (unit < DAY_MS ? moments : days).format(at));

  // Whole days or minutes, two of them at least, within what the chart has.
  function zoom(chart, from, to) {
    const [[first, last], unit] = [whole(chart), unitOf(chart)];
    const [middle, least] = [(from + to) / 2, Math.min(2 * unit, last - first)];
    const length = Math.min(Math.max(Math.round((to - from) / unit) * unit, least), last - first);
    const begin = first + Math.round((Math.max(first, Math.min(middle - length / 2, last - length)) - first) / unit) * unit;
    layAll(length < last - first ? { unit, ends: [begin, begin + length] } : undefined);
  }

  // What is not seen is laid out once it is.
  function layShown() {
    for (const chart of all(TIMES).filter(isFree)) {
      const wanted = zoomed?.unit === unitOf(chart) ? zoomed : undefined;
      if (laidFor.get(chart) === wanted || chart.getClientRects().length === 0) continue;
      laidFor.set(chart, wanted);
      lay(chart);
    }
  }

  function layAll(to) {
    zoomed = to;
    layShown();
    if (read) show(read.chart, read.index);
    tellZoom();
  }

  function zoomBy(factor, chart = read?.chart ?? all(TIMES).find((chart) => isFree(chart) && chart.getClientRects().length > 0)) {
    if (!chart) return;
    const [from, to] = chosen(chart);
    const middle = read?.chart === chart ? points(chart)[read.index].at : (from + to) / 2;
    zoom(chart, middle - (middle - from) * factor, middle + (to - middle) * factor);
  }

  const told = make("span", { role: "status" });
  const button = (textContent, ariaLabel, onclick) => make("button", { type: "button", textContent, ariaLabel, onclick });
  const closer = button("+", "Closer", () => zoomBy(0.5));
  const wider = button("−", "Wider", () => zoomBy(2));
  const back = button("Show all", null, () => layAll());
  const bar = make("aside", { className: "zoom", ariaLabel: "Zoom" }, told, closer, wider, back);

  // What is taken away loses the focus first, which is told in between.
  function leave() {
    if (bar.contains(document.activeElement)) document.activeElement.blur();
    bar.remove();
  }

  function tellZoom(isWanted) {
    if (!zoomed && !isWanted && !bar.contains(document.activeElement)) return leave();
    told.textContent = zoomed ? name(zoomed.unit, zoomed.ends).join(" to ") : "The whole time";
    if (!bar.isConnected) document.body.append(bar);
  }

  // A finger scrolls; what it touches is read, and the bar has what it needs for a closer look.
  document.addEventListener("pointerdown", (event) => {
    const chart = event.target.closest?.(TIMES);
    if (!isFree(chart) || event.button > 0 || event.pointerType === "touch") return;
    drag = { chart, from: timeAt(chart, event), x: event.clientX };
    chart.setPointerCapture(event.pointerId);
  });
  document.addEventListener("pointerup", (event) => {
    const { chart, from, area } = drag ?? {};
    drag = undefined;
    area?.remove();
    if (!area || !chart.isConnected) return;
    const to = timeAt(chart, event);
    zoom(chart, Math.min(from, to), Math.max(from, to));
  });
  document.addEventListener("pointercancel", () => {
    drag?.area?.remove();
    drag = undefined;
  });
  document.addEventListener("click", (event) => {
    const chart = event.pointerType === "touch" && event.target.closest?.(TIMES);
    if (!isFree(chart)) return;
    tellNear(chart, event);
    tellZoom(true);
  });
  document.addEventListener("dblclick", ({ target }) => target.closest?.(TIMES) && layAll());

  function onDrag(event) {
    const { chart, from, x } = drag;
    if (!drag.area && Math.abs(event.clientX - x) < 8) return;
    drag.area ??= chart.appendChild(document.createElementNS(chart.namespaceURI, "rect"));
    const [begin, end] = seen(chart);
    const places = [from, timeAt(chart, event)].sort((a, b) => a - b).map((at) => (at - begin) / (end - begin));
    set(drag.area, { class: "chosen", x: percent(places[0]), width: percent(places[1] - places[0]), height: "100%" });
  }

  function tellNear(chart, event) {
    const [of, [from, to], at] = [points(chart), seen(chart), timeAt(chart, event)];
    const distances = of.map((point) => (point.at < from || point.at > to ? Infinity : Math.abs(point.at - at)));
    const nearest = Math.min(...distances);
    if (nearest < Infinity) show(chart, distances.indexOf(nearest));
    return nearest < Infinity;
  }

  document.addEventListener("pointermove", (event) => {
    if (readout.contains(event.target) || bar.contains(event.target)) return;
    if (drag) onDrag(event);
    const chart = event.target.closest?.(TIMES);
    if (!(chart && tellNear(chart, event)) && read && read.chart !== document.activeElement) hide();
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("svg[role=slider]")) show(target, target.ariaValueNow - 1);
    wasInFilter = search.contains(target);
  });
  document.addEventListener("focusout", ({ relatedTarget }) => bar.contains(relatedTarget) || hide());

  function onChart(event) {
    const from = event.target.ariaValueNow - 1;
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: from + 1, ArrowUp: from + 1, PageDown: from - 7, PageUp: from + 7 };
    const next = { ...to, Home: 0, End: Infinity }[event.key];
    if (next === undefined) return onZoom(event, event.target);
    show(event.target, next);
    return true;
  }

  function onZoom({ key }, chart) {
    if (key === "+" || key === "=") zoomBy(0.5, chart);
    else if (key === "-") zoomBy(2, chart);
    else if ((key === "0" || key === "Escape") && zoomed) layAll();
    else return false;
    return true;
  }

  // The filter

  const field = make("input", { type: "search", id: "find-text", autocomplete: "off", spellcheck: false });
  const label = make("label", { htmlFor: field.id, textContent: "Filter by name or verdict" });
  const status = make("p", { className: "soft", role: "status" });
  // Who speaks to the computer can turn single keys off (WCAG 2.1.4).
  const keys = make("input", { type: "checkbox", checked: true });
  const kbd = (textContent) => make("kbd", { textContent });
  const keysLabel = make("label", {}, keys, " Keys: ", kbd("/"), " filter, ", kbd("j"), " ", kbd("k"), " next and back, ", kbd("+"), " ", kbd("-"), " zoom");
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

  function onPage(event) {
    const { key } = event;
    if (key === "Escape") zoomed ? layAll() : hide();
    else if (!keys.checked || !search.isConnected) return false;
    else if (key === "/") find();
    else if (key === "j") go(1);
    else if (key === "k") go(-1);
    else return onZoom(event);
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

  addEventListener("hashchange", () => {
    layShown();
    // A link to what the filter hides has to lead there.
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
    layAll(zoomed);
    // Which view the address means is known only after this.
    requestAnimationFrame(layShown);
    const place = document.querySelector(".find");
    if (!place || place.contains(search)) return;
    place.replaceChildren(search);
    filter();
    if (wasInFilter) field.focus({ preventScroll: true });
  }

  document.addEventListener("milepost:update", begin);
  begin();
})();
