// Keeps the page that `milepost serve` shows as it is now. Without this script it is as true, and as old as it says.
"use strict";
(() => {
  // The server says something at least once a minute while somebody watches.
  const SILENT_MS = 150_000, RETRY_MS = 1_000, RETRY_MS_MAX = 30_000;
  const banner = document.createElement("p");
  banner.className = "notice";
  banner.setAttribute("role", "status");
  let source, watchdog, retry = RETRY_MS, lost = null, isFetching = false, isStale = false;

  const judged = () => document.querySelector(".top time")?.dateTime;

  const tell = () => {
    document.documentElement.dataset.live = lost ? "no" : "yes";
    if (!lost) return banner.remove();
    const text = `Not live any more since ${lost.toLocaleTimeString()}: what is below may be old. Trying again …`;
    if (banner.textContent !== text) banner.textContent = text;
    if (banner.parentElement !== document.body) document.body.prepend(banner);
  };

  const isLost = () => {
    source?.close();
    clearTimeout(watchdog);
    lost ??= new Date();
    tell();
    watchdog = setTimeout(() => document.hidden || connect(), retry);
    retry = Math.min(retry * 2, RETRY_MS_MAX);
  };

  const isHeard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(isLost, SILENT_MS);
  };

  const connect = () => {
    source?.close();
    source = new EventSource("/events");
    clearTimeout(watchdog);
    watchdog = setTimeout(isLost, SILENT_MS);
    // A stream that was refused is not tried again by the browser, so none is left to it.
    source.onerror = isLost;
    for (const name of ["scorecard", "judged", "fault", "track"]) {
      source.addEventListener(name, (event) => {
        isHeard();
        const { generated_at } = JSON.parse(event.data);
        if (lost || !generated_at || generated_at !== judged()) refresh();
        else tell();
      });
    }
  };

  const refresh = async () => {
    isStale = true;
    if (isFetching) return;
    isFetching = true;
    try {
      while (isStale) {
        isStale = false;
        const answer = await fetch("/", { cache: "no-store" });
        if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(`status ${answer.status}`);
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
      lost = null;
      retry = RETRY_MS;
      tell();
    } catch {
      isLost();
    } finally {
      isFetching = false;
    }
  };

  // The way to an element from the nearest one above it that has an id, so that it is found again on the next page.
  const wayTo = (element) => {
    const steps = [];
    let at = element;
    for (; !at.id && at !== document.body; at = at.parentElement) steps.unshift([at.tagName, [...at.parentElement.children].indexOf(at)]);
    return { id: at.id, steps };
  };
  const follow = ({ id, steps }) => {
    let at = id ? document.getElementById(id) : document.body;
    for (const [tag, index] of steps) {
      at = at?.children[index];
      if (at?.tagName !== tag) return null;
    }
    return at;
  };

  const swap = (next) => {
    banner.remove();
    const focus = document.activeElement && document.activeElement !== document.body ? wayTo(document.activeElement) : null;
    const open = [...document.querySelectorAll("details[open]")].map(wayTo);
    const aside = [...document.querySelectorAll(".scroll")].filter((e) => e.scrollLeft > 0).map((e) => [wayTo(e), e.scrollLeft]);
    // What is read stays where it is, whatever becomes longer above it.
    const read = [...document.querySelectorAll("article[id]")].find((article) => article.getBoundingClientRect().bottom > 0);
    const isBelowTop = window.scrollY > 0;
    const anchor = isBelowTop && read && read.getBoundingClientRect().top < window.innerHeight ? { id: read.id, top: read.getBoundingClientRect().top } : null;
    const [left, top] = [window.scrollX, window.scrollY];

    name(next.title);
    document.body.replaceChildren(...document.adoptNode(next.body).childNodes);
    if (lost) tell();
    // Before anything is restored: the page's own script adds what may have had the focus, and hides what does not count.
    document.dispatchEvent(new Event("milepost:update"));

    for (const way of open) {
      const details = follow(way);
      if (details) details.open = true;
    }
    // Only a navigation tells the browser which element the fragment means now.
    if (location.hash) location.replace(location.hash);
    for (const [way, x] of aside) follow(way)?.scrollTo({ left: x, behavior: "instant" });
    if (focus) follow(focus)?.focus({ preventScroll: true });
    window.scrollTo({ left, top, behavior: "instant" });
    const moved = anchor ? document.getElementById(anchor.id) : null;
    if (moved) window.scrollBy({ top: moved.getBoundingClientRect().top - anchor.top, behavior: "instant" });
  };

  // A browser has few connections for each server, and what nobody sees need not be judged: a hidden page waits, and says so.
  const NOT_LIVE = "(not live) ";
  const name = (title) => {
    document.title = (document.hidden ? NOT_LIVE : "") + title.replace(NOT_LIVE, "");
  };
  const attend = () => {
    name(document.title);
    if (!document.hidden) return connect();
    source?.close();
    clearTimeout(watchdog);
    delete document.documentElement.dataset.live;
  };

  const start = () => {
    document.addEventListener("visibilitychange", attend);
    attend();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
