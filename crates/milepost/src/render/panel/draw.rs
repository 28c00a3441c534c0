//! The charts of the panels, drawn like those of the criteria: positions across in percent, strokes and texts in pixels, colours of the
//! style sheet. None of them is green, since nothing here is judged, but for the verdicts of the history.

mod bars;
mod icicle;
mod plot;
mod timeline;

pub(super) use self::{
    bars::{Columns, DayBars, Mark, Spread},
    icicle::{Block, Icicle},
    plot::{Join, Plot, Point, scale},
    timeline::Timeline,
};
