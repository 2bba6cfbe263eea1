//! Values that another tag of the device scales.

use super::*;

const VALUE: TagIndex = TagIndex(0);
const FACTOR: TagIndex = TagIndex(1);

/// A press whose first tag is scaled by its second; the factor is read every `factor_every` ms,
/// in a read of its own unless that is once a second as the value is.
fn bench(factor_every: u64) -> Bench {
    let mut plant = plant();
    let model = Arc::get_mut(&mut plant.devices[0].model).unwrap();
    let point = Point {
        absent: [0x8000].into(),
        power_of_ten: Some(FACTOR),
        ..Point::new(Table::Holding, 0, Kind::I16)
    };
    model.tags[0].source = Source::Modbus(point);
    model.tags[1].source = Source::Modbus(Point {
        absent: [0x8000].into(),
        ..Point::new(Table::Holding, 1, Kind::I16)
    });
    model.tags[1].every_ms = factor_every;
    for tag in &mut model.tags {
        tag.role = None;
    }
    model.state = None;
    plant.alarms.clear();
    Bench::left(plant, now(0), None)
}

impl Bench {
    fn answer(&mut self, read: u32, ms: u64, registers: &[u16]) {
        let words = Words::Registers(registers);
        self.engine.handle_read(ReadIndex(read), at(ms), Ok(words));
        self.drain();
    }

    fn said(&self) -> Result<Value, Quality> {
        let (value, quality) = (self.engine.newest.value(0), self.engine.newest.quality(0));
        value.map(|(value, _)| value).ok_or(quality)
    }
}

const MISSING: Result<Value, Quality> = Err(Quality::Bad(Reason::Missing));

fn float(value: f64) -> Result<Value, Quality> {
    Ok(Value::Float(value))
}

#[test]
fn a_factor_behind_its_value_in_the_same_answer_holds_for_it() {
    let mut bench = bench(1000);
    assert_eq!(bench.engine.plan.reads.len(), 1);
    bench.answer(0, 0, &[1234, 0xFFFF, 0]);
    assert_eq!(bench.said(), float(123.4));
    bench.answer(0, 1000, &[1234, 2, 0]);
    assert_eq!(
        bench.said(),
        float(123_400.0),
        "that of this answer, not of the last"
    );
    bench.answer(0, 2000, &[1234, 0x8000, 0]);
    assert_eq!(
        bench.said(),
        MISSING,
        "a factor that is absent scales nothing"
    );
    bench.answer(0, 3000, &[1234, 11, 0]);
    assert_eq!(bench.said(), MISSING, "nor does one that no device has");
    bench.answer(0, 4000, &[0x8000, 0, 0]);
    assert_eq!(bench.said(), MISSING, "an absent value stays absent");
    bench.answer(0, 5000, &[7, 0, 0]);
    assert_eq!(bench.said(), float(7.0));
    assert_eq!(bench.engine.tally().bad_samples, 4);
}

#[test]
fn a_factor_of_another_read_holds_until_it_is_stale() {
    let mut bench = bench(10_000);
    let reads = &bench.engine.plan.reads;
    let of = |tag| {
        reads
            .iter()
            .position(|read| read.tags.contains(&tag))
            .unwrap()
    };
    let (value, factor) = (of(VALUE) as u32, of(FACTOR) as u32);
    assert_ne!(value, factor);
    bench.answer(value, 0, &[50, 0, 0]);
    assert_eq!(bench.said(), MISSING, "never the raw value");
    bench.answer(factor, 500, &[0xFFFE]);
    assert_eq!(bench.said(), MISSING, "nothing is changed backwards");
    bench.answer(value, 1000, &[50, 0, 0]);
    assert_eq!(bench.said(), float(0.5));
    bench.answer(value, 30_000, &[50, 0, 0]);
    assert_eq!(bench.said(), float(0.5));
    bench.answer(value, 30_500, &[50, 0, 0]);
    assert_eq!(
        bench.said(),
        MISSING,
        "three periods of the factor have passed"
    );
}

#[test]
fn readings_that_come_in_pieces_are_scaled_too() {
    let mut bench = bench(1000);
    let readings = [
        (VALUE, Reading::Good(Value::Int(50)).into()),
        (FACTOR, Reading::Good(Value::Int(-1)).into()),
    ];
    bench
        .engine
        .handle_readings(DeviceIndex(0), at(0), &readings);
    assert_eq!(bench.said(), float(5.0));
    let refused = Reading::Bad(Reason::Exception(2));
    let value = Reading::Good(Value::Int(50));
    let readings = [(FACTOR, refused.into()), (VALUE, value.into())];
    bench
        .engine
        .handle_readings(DeviceIndex(0), at(1000), &readings);
    assert_eq!(bench.said(), MISSING);
}

#[test]
fn the_range_is_that_of_the_scaled_value() {
    let mut bench = bench(1000);
    let plant = Arc::get_mut(&mut bench.engine.plant).unwrap();
    let model = Arc::get_mut(&mut plant.devices[0].model).unwrap();
    model.tags[0].range = Some((0.0, 100.0));
    bench.answer(0, 0, &[900, 0xFFFF, 0]);
    assert_eq!(bench.said(), float(90.0));
    bench.answer(0, 1000, &[900, 0, 0]);
    assert_eq!(bench.said(), Err(Quality::Bad(Reason::OutOfRange)));
}
