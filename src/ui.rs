//! Placeholder.

use ratatui::Frame;

use crate::app::App;

/// Draws the dashboard.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let text = format!(
        "{:?} {:?} {:?} {}\n{:?}\n{}",
        app.screen().focus,
        app.screen().view,
        app.cursor(),
        app.screen().filter.value(),
        app.connection(),
        app.notice().map_or("", |notice| notice.text.as_str())
    );
    frame.render_widget(text, frame.area());
}
