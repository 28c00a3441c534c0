// `cargo xtask test` runs this: one process, so that there is one browser.
import "./look.mjs";
import "./script.mjs";
import "./serve.mjs";
import "./strangers.mjs";
import "./zoom.mjs";
