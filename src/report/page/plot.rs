//! Plots as SVG. Their colors are those of the light scheme; the style sheet has others for the dark one, by
//! these very values.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::blocks::{Figure, Form};
use crate::domain::figure;
use crate::evidence::{Axis, Time};

/// Of the lines, in their order; `style.css` has each.
const COLORS: [RGBColor; 4] =
    [RGBColor(9, 105, 218), RGBColor(188, 76, 0), RGBColor(26, 127, 55), RGBColor(130, 80, 223)];
const GRID: RGBColor = RGBColor(225, 228, 232);
const WORDS: RGBColor = RGBColor(87, 96, 106);
/// Of plotters, which writes it as 12 pixels.
const FONT: f64 = 12.0 * 1.24;
/// More than a screen has columns.
const MOST_POINTS: usize = 800;

/// The plot in a size; `None`: there is nothing to plot.
pub fn svg(plot: &Figure, size: (u32, u32)) -> Option<String> {
    let lines: Vec<Vec<(f64, f64)>> = plot.lines.iter().map(|line| points(&line.form)).collect();
    let x = range(lines.iter().flatten().map(|(x, _)| *x))?;
    let levels = plot.lines.iter().filter_map(|line| match line.form {
        Form::Level(level) => Some(level),
        _ => None,
    });
    let y = range(lines.iter().flatten().map(|(_, y)| *y).chain(levels))?;
    let y = scale(y, plot.from_zero);
    let x = Ticks { range: widened(x, &plot.axis), is_time: plot.axis == Axis::Time };
    // The numbers below the plot have what no scale can hold.
    if [&x.range, &y].iter().any(|range| !(range.end - range.start).is_finite()) {
        return None;
    }
    let mut svg = String::new();
    drawn(plot, &lines, (x, y), size, &mut svg).ok()?;
    // The page says it in words.
    Some(svg.replacen("<svg ", "<svg aria-hidden=\"true\" focusable=\"false\" ", 1))
}

fn points(form: &Form) -> Vec<(f64, f64)> {
    match form {
        Form::Line(series) | Form::Area(series) => series.thinned(MOST_POINTS).points,
        steps => steps.points(),
    }
}

/// Over time, nothing was measured where points are missing: a line there would say how it was.
fn parts<'p>(points: &'p [(f64, f64)], axis: &Axis) -> impl Iterator<Item = &'p [(f64, f64)]> {
    let apart = points.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|apart| *apart > 0.0);
    let usual = apart.min_by(f64::total_cmp).unwrap_or(f64::INFINITY);
    let is_time = *axis == Axis::Time;
    points.chunk_by(move |one, next| !is_time || next.0 - one.0 < 2.5 * usual)
}

fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    values.filter(|value| value.is_finite()).fold(None, |range: Option<Range<f64>>, value| {
        Some(range.map_or(value..value, |range| range.start.min(value)..range.end.max(value)))
    })
}

/// With room above, and below unless it begins at zero.
fn scale(range: Range<f64>, from_zero: bool) -> Range<f64> {
    let start = if from_zero { range.start.min(0.0) } else { range.start };
    let height = range.end - start;
    let room = if height > 0.0 { height * 0.08 } else { range.end.abs().max(1.0) * 0.1 };
    let below = if from_zero && start == 0.0 { 0.0 } else { room };
    start - below..range.end + room
}

/// A single moment is shown within the minutes around it.
fn widened(range: Range<f64>, axis: &Axis) -> Range<f64> {
    let least = if *axis == Axis::Time { 600.0 } else { 1.0 };
    let missing = (least - (range.end - range.start)).max(0.0) / 2.0;
    range.start - missing..range.end + missing
}

type Failed = DrawingAreaErrorKind<std::io::Error>;

fn drawn(
    plot: &Figure,
    lines: &[Vec<(f64, f64)>],
    (x, y): (Ticks, Range<f64>),
    size: (u32, u32),
    svg: &mut String,
) -> Result<(), Failed> {
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let (from, to) = (x.range.start, x.range.end);
    let labels = if size.0 > 500 { 7 } else { 4 };
    let mut chart = ChartBuilder::on(&root)
        .margin(6)
        .margin_right(18)
        .x_label_area_size(26)
        .y_label_area_size(48)
        .build_cartesian_2d(x, y)?;
    let number = |value: &f64| said(plot, *value);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(("sans-serif", FONT, &WORDS))
        .x_labels(labels)
        .y_labels(5)
        .y_label_formatter(&number)
        .draw()?;
    for (index, (line, points)) in plot.lines.iter().zip(lines).enumerate() {
        let color = COLORS[index % COLORS.len()];
        match &line.form {
            Form::Level(level) => {
                let ends = [(from, *level), (to, *level)];
                chart.draw_series(DashedLineSeries::new(ends, 6, 4, color.stroke_width(2)))?;
            }
            Form::Area(_) => {
                for part in parts(points, &plot.axis) {
                    let area = AreaSeries::new(part.iter().copied(), 0.0, color.mix(0.15));
                    chart.draw_series(area.border_style(color.stroke_width(2)))?;
                }
            }
            Form::Line(_) => {
                for part in parts(points, &plot.axis) {
                    chart.draw_series(LineSeries::new(part.iter().copied(), color.stroke_width(2)))?;
                }
            }
            Form::Steps(..) => {
                chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            }
        }
        // What stands alone is no line.
        let alone = parts(points, &plot.axis).filter(|part| part.len() == 1).flatten();
        let dots: Vec<&(f64, f64)> =
            if points.len() < 20 { points.iter().collect() } else { alone.collect() };
        chart.draw_series(dots.into_iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    root.present()
}

fn said(plot: &Figure, value: f64) -> String {
    if plot.percent { format!("{} %", figure(value * 100.0)) } else { figure(value) }
}

/// A scale with marks at whole minutes, hours and days, or at whole numbers.
struct Ticks {
    range: Range<f64>,
    is_time: bool,
}

impl Ticks {
    /// The smallest step of which at most `most` fit.
    fn distance(&self, most: usize) -> f64 {
        const TIMES: [f64; 14] = [
            60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 21_600.0, 43_200.0,
            86_400.0, 172_800.0, 604_800.0,
        ];
        let length = self.range.end - self.range.start;
        let fits = |step: &f64| length / step <= most.max(1) as f64;
        if let Some(step) = TIMES.iter().find(|step| self.is_time && fits(step)) {
            return *step;
        }
        let mut unit = if self.is_time { 604_800.0 } else { 1.0 };
        loop {
            for step in [1.0, 2.0, 5.0].map(|times| unit * times) {
                // Of what has no length, or no end, any step will do.
                if fits(&step) || !step.is_finite() || !length.is_finite() {
                    return step;
                }
            }
            unit *= 10.0;
        }
    }
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let step = self.distance(hint.max_num_points().min(8));
        let first = (self.range.start / step).ceil() * step;
        let marks = (0..16).map(|index| first + f64::from(index) * step);
        marks.take_while(|mark| *mark <= self.range.end).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticks {
    fn format_ext(&self, value: &f64) -> String {
        if !self.is_time {
            return figure(*value);
        }
        let time = Time(*value as i64);
        match self.range.end - self.range.start > 2.0 * 86_400.0 {
            true => time.day(),
            false => time.clock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Series;
    use crate::report::page::blocks::Line;

    fn plot(points: &[(f64, f64)], axis: Axis) -> Figure {
        let form = Form::Line(Series::new("x", points.to_vec()));
        let lines = vec![Line { name: "x".into(), form }];
        Figure { caption: String::new(), axis, lines, from_zero: true, percent: false }
    }

    #[test]
    fn whatever_was_measured_can_be_plotted() {
        let huge = [(0.0, f64::MAX / 4.0), (1.0, -f64::MAX / 4.0)];
        let far = [(-1e300, 1.0), (1e300, 2.0)];
        for axis in [Axis::Time, Axis::Measurement] {
            for points in [&[(5.0, 0.0)][..], &huge, &far, &[(0.0, 1e-300), (1.0, 0.0)]] {
                let svg = svg(&plot(points, axis.clone()), (720, 220)).expect("a plot");
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
            for points in [[(0.0, f64::MAX), (1.0, -f64::MAX)], [(f64::MAX, 0.0), (-f64::MAX, 1.0)]] {
                assert_eq!(svg(&plot(&points, axis.clone()), (720, 220)), None);
            }
            assert_eq!(svg(&plot(&[], axis), (720, 220)), None);
        }
    }

    #[test]
    fn a_gap_in_time_is_no_line() {
        let points = [(0.0, 1.0), (60.0, 2.0), (600.0, 3.0), (660.0, 1.0)];
        let lengths = |axis| parts(&points, &axis).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(Axis::Time), [2, 2]);
        assert_eq!(lengths(Axis::Measurement), [4]);
        assert_eq!(parts(&points[..1], &Axis::Time).count(), 1);
    }

    #[test]
    fn marks_are_at_whole_times_and_numbers() {
        let marks = |range: Range<f64>, is_time, most| {
            let ticks = Ticks { range, is_time };
            let step = ticks.distance(most);
            (step, ticks.format_ext(&step))
        };
        assert_eq!(marks(0.0..3_600.0, true, 6), (600.0, "00:10".to_owned()));
        assert_eq!(marks(0.0..86_400.0 * 30.0, true, 6), (604_800.0, "01-08".to_owned()));
        assert_eq!(marks(1.0..40.0, false, 6), (10.0, "10".to_owned()));
        assert_eq!(marks(1.0..3.0, false, 6).0, 1.0);
    }
}
