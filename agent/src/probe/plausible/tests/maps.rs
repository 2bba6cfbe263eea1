//! Devices whose registers are known, from their makers' public register lists, with readings as
//! such a device has them on a working day.

use Content::{Count, Fixed, Float, Measured, Nothing, Text, Time};
use andon_core::tag::{Kind, Order};

/// When the readings are taken: 2026-09-21.
pub const NOW_MS: u64 = 1_790_000_000_000;

/// One device.
pub struct Map {
    pub device: &'static str,
    /// Address, type and content, by address.
    pub values: &'static [(u16, Kind, Content)],
}

impl Map {
    /// Whether it has anything in which an order shows.
    pub fn is_ordered(&self) -> bool {
        let wide = |kind: Kind| kind.registers() > 1;
        self.values
            .iter()
            .any(|value| wide(value.1) && !value.2.is_nothing())
    }
}

/// What a value is, and how it goes on from reading to reading.
pub enum Content {
    /// Unused, 0.
    Nothing,
    /// A whole number that stays.
    Fixed(i64),
    /// A whole number that grows by so much.
    Count(i64, i64),
    /// A whole number that trembles by so much.
    Measured(i64, i64),
    /// A float that trembles by a thousandth; with 0 digits it has all that it can have.
    Float(f64, u32),
    Text(&'static str, usize),
    /// Seconds before now, and it goes.
    Time(u64),
}

impl Content {
    pub fn is_nothing(&self) -> bool {
        matches!(self, Nothing | Fixed(0)) || matches!(self, Float(value, _) if *value == 0.0)
    }

    pub fn registers(&self, kind: Kind, order: Order, step: u32) -> Vec<u16> {
        if let Text(text, registers) = self {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(2 * registers, 0);
            let swapped = matches!(order, Order::Badc | Order::Dcba);
            let register = |pair: &[u8]| match swapped {
                true => u16::from_le_bytes([pair[0], pair[1]]),
                false => u16::from_be_bytes([pair[0], pair[1]]),
            };
            return bytes.chunks(2).map(register).collect();
        }
        let step = i64::from(step);
        let tremble = [0, 1, -1][step as usize % 3];
        let word = match *self {
            Fixed(value) => value as u64,
            Count(value, by) => (value + by * step) as u64,
            Measured(value, by) => (value + by * tremble) as u64,
            Time(ago) => NOW_MS / 1000 - ago + step as u64,
            Float(value, digits) => {
                let moved = value * (1.0 + 0.001 * tremble as f64);
                let power = 10_f64.powi(digits as i32);
                let value = match digits {
                    0 => moved * (1.0 + std::f64::consts::PI * 1e-5),
                    _ => (moved * power).round() / power,
                };
                match kind {
                    Kind::F32 => u64::from((value as f32).to_bits()),
                    _ => value.to_bits(),
                }
            }
            Nothing | Text(..) => 0,
        };
        let word = match kind {
            Kind::Bcd32 => (0..8).fold(0, |bcd, at| bcd | (word / 10_u64.pow(at) % 10) << (4 * at)),
            _ => word,
        };
        let wide = kind.registers();
        let mut registers: Vec<u16> = (0..wide)
            .rev()
            .map(|at| (word >> (16 * at)) as u16)
            .collect();
        if wide > 1 && matches!(order, Order::Cdab | Order::Dcba) {
            registers.reverse();
        }
        if wide > 1 && matches!(order, Order::Badc | Order::Dcba) {
            registers
                .iter_mut()
                .for_each(|register| *register = register.swap_bytes());
        }
        registers
    }
}

const fn float(address: u16, value: f64) -> (u16, Kind, Content) {
    (address, Kind::F32, Float(value, 0))
}

const fn u16(address: u16, value: i64, by: i64) -> (u16, Kind, Content) {
    (address, Kind::U16, Measured(value, by))
}

const fn i16(address: u16, value: i64, by: i64) -> (u16, Kind, Content) {
    (address, Kind::I16, Measured(value, by))
}

const fn u32(address: u16, value: i64, by: i64) -> (u16, Kind, Content) {
    (address, Kind::U32, Measured(value, by))
}

const fn i32(address: u16, value: i64, by: i64) -> (u16, Kind, Content) {
    (address, Kind::I32, Measured(value, by))
}

pub const MAPS: &[Map] = &[
    Map {
        device: "Eastron SDM630, input registers",
        values: &[
            float(0, 230.41),
            float(2, 231.02),
            float(4, 229.87),
            float(6, 12.43),
            float(8, 11.87),
            float(10, 13.02),
            float(12, 2711.4),
            float(14, 2633.9),
            float(16, 2820.1),
            float(18, 2863.8),
            float(20, 2742.2),
            float(22, 2992.9),
            float(24, 912.0),
            float(26, 760.3),
            float(28, 1003.9),
            float(30, 0.947),
            float(32, 0.960),
            float(34, 0.942),
        ],
    },
    Map {
        device: "Eastron SDM120, totals",
        values: &[
            float(70, 49.98),
            (72, Kind::F32, Float(1203.47, 2)),
            (74, Kind::F32, Float(0.12, 2)),
        ],
    },
    Map {
        device: "SunSpec model 103, three-phase inverter with scale factors",
        values: &[
            (0, Kind::U16, Fixed(103)),
            (1, Kind::U16, Fixed(50)),
            u16(2, 1873, 3),
            u16(3, 624, 2),
            u16(4, 625, 2),
            u16(5, 624, 2),
            (6, Kind::I16, Fixed(-2)),
            u16(7, 4012, 4),
            u16(8, 4007, 4),
            u16(9, 3998, 4),
            u16(10, 2316, 2),
            u16(11, 2313, 2),
            u16(12, 2308, 3),
            (13, Kind::I16, Fixed(-1)),
            i16(14, 12840, 9),
            (15, Kind::I16, Fixed(0)),
            u16(16, 4998, 1),
            (17, Kind::I16, Fixed(-2)),
            i16(18, 12902, 10),
            (19, Kind::I16, Fixed(0)),
            i16(20, -412, 5),
            (21, Kind::I16, Fixed(0)),
            i16(22, 9951, 2),
            (23, Kind::I16, Fixed(-2)),
            (24, Kind::U32, Count(48_213_771, 4)),
            (26, Kind::I16, Fixed(0)),
            (27, Kind::U16, Fixed(0xFFFF)),
            (28, Kind::I16, Fixed(-32768)),
            u16(29, 6412, 7),
            (30, Kind::I16, Fixed(-1)),
            i16(31, 13102, 9),
            (32, Kind::I16, Fixed(0)),
            i16(33, 412, 1),
        ],
    },
    Map {
        device: "SunSpec model 113, three-phase inverter with floats",
        values: &[
            (0, Kind::U16, Fixed(113)),
            (1, Kind::U16, Fixed(60)),
            float(2, 18.73),
            float(4, 6.24),
            float(6, 6.25),
            float(8, 6.24),
            float(10, 401.2),
            float(12, 400.7),
            float(14, 399.8),
            float(16, 231.6),
            float(18, 231.3),
            float(20, 230.8),
            float(22, 12840.0),
            float(24, 49.98),
            float(26, 12902.3),
            float(28, -412.7),
            float(30, 99.51),
            (32, Kind::F32, Float(48_213_771.0, 1)),
        ],
    },
    Map {
        device: "SunSpec model 1, common",
        values: &[
            (0, Kind::Text, Text("SunS", 2)),
            (2, Kind::U16, Fixed(1)),
            (3, Kind::U16, Fixed(66)),
            (4, Kind::Text, Text("Fronius", 4)),
            (8, Kind::U32, Nothing),
            (10, Kind::U32, Nothing),
            (12, Kind::Text, Text("Symo 15.0-3-M", 7)),
            (19, Kind::U16, Nothing),
            (20, Kind::U64, Nothing),
            (24, Kind::Text, Text("0.3.30.2", 4)),
            (28, Kind::U32, Nothing),
            (30, Kind::Text, Text("34119102", 4)),
        ],
    },
    Map {
        device: "Carlo Gavazzi EM24, instantaneous values",
        values: &[
            i32(0, 2304, 2),
            i32(2, 2310, 2),
            i32(4, 2299, 2),
            i32(6, 3991, 3),
            i32(8, 4001, 3),
            i32(10, 3982, 3),
            i32(12, 12_430, 12),
            i32(14, 11_870, 11),
            i32(16, 13_020, 14),
            i32(18, 27_114, 30),
            i32(20, 26_339, 30),
            i32(22, -28_201, 30),
        ],
    },
    Map {
        device: "ABB B23, energies",
        values: &[
            (0x5000, Kind::U64, Count(12_345_678, 1)),
            (0x5004, Kind::U64, Fixed(2_811)),
            (0x5008, Kind::I64, Count(12_342_867, 1)),
            (0x500C, Kind::U64, Count(3_456_012, 1)),
            (0x5010, Kind::U64, Fixed(81_207)),
            (0x5014, Kind::I64, Fixed(-78_001)),
        ],
    },
    Map {
        device: "ABB B23, instantaneous values",
        values: &[
            u32(0x5B00, 2304, 1),
            u32(0x5B02, 2311, 1),
            u32(0x5B04, 2299, 2),
            u32(0x5B06, 3991, 2),
            u32(0x5B08, 4002, 2),
            u32(0x5B0A, 3987, 3),
            u32(0x5B0C, 1243, 3),
            u32(0x5B0E, 1187, 2),
            u32(0x5B10, 1302, 2),
            u32(0x5B12, 17, 1),
            i32(0x5B14, 816_543, 212),
            i32(0x5B16, 271_140, 84),
            i32(0x5B18, 263_390, 50),
            i32(0x5B1A, 282_013, 71),
        ],
    },
    Map {
        device: "Schneider iEM3155, floats",
        values: &[
            float(2999, 12.43),
            float(3001, 11.87),
            float(3003, 13.02),
            (3005, Kind::U32, Nothing),
            (3007, Kind::U16, Nothing),
            (3008, Kind::U16, Nothing),
            float(3009, 12.44),
            (3011, Kind::U64, Nothing),
            (3015, Kind::U32, Nothing),
            (3017, Kind::U16, Nothing),
            (3018, Kind::U16, Nothing),
            float(3019, 399.4),
            float(3021, 400.8),
            float(3023, 398.7),
            float(3025, 399.6),
            float(3027, 230.6),
            float(3029, 231.4),
            float(3031, 230.2),
        ],
    },
    Map {
        device: "Schneider iEM3155, energies",
        values: &[
            (3203, Kind::I64, Count(12_345_678, 3)),
            (3207, Kind::I64, Fixed(2_811)),
            (3211, Kind::I64, Nothing),
            (3215, Kind::I64, Nothing),
            (3219, Kind::I64, Count(3_456_012, 1)),
        ],
    },
    Map {
        device: "Siemens PAC3200",
        values: &[
            float(1, 230.41),
            float(3, 231.02),
            float(5, 229.87),
            float(7, 399.1),
            float(9, 400.2),
            float(11, 398.8),
            float(13, 12.43),
            float(15, 11.87),
            float(17, 13.02),
            float(19, 2863.8),
            float(21, 2742.2),
            float(23, 2992.9),
        ],
    },
    Map {
        device: "Siemens PAC3200, energies",
        values: &[
            (801, Kind::F64, Float(12_345_678.4, 1)),
            (805, Kind::F64, Float(0.0, 1)),
            (809, Kind::F64, Float(2811.5, 1)),
            (813, Kind::F64, Float(3_456_012.25, 2)),
        ],
    },
    Map {
        device: "Chint DTSU666",
        values: &[
            (0x2000, Kind::F32, Float(3991.0, 1)),
            (0x2002, Kind::F32, Float(4002.0, 1)),
            (0x2004, Kind::F32, Float(3987.0, 1)),
            (0x2006, Kind::F32, Float(2304.0, 1)),
            (0x2008, Kind::F32, Float(2311.0, 1)),
            (0x200A, Kind::F32, Float(2299.0, 1)),
            (0x200C, Kind::F32, Float(12430.0, 1)),
            (0x200E, Kind::F32, Float(11870.0, 1)),
            (0x2010, Kind::F32, Float(13020.0, 1)),
            (0x2012, Kind::F32, Float(8165.4, 1)),
            (0x2014, Kind::F32, Float(2711.4, 1)),
            (0x2016, Kind::F32, Float(2633.9, 1)),
        ],
    },
    Map {
        device: "Lovato DMG",
        values: &[
            u32(1, 23_041, 12),
            u32(3, 23_102, 11),
            u32(5, 22_987, 9),
            u32(7, 124_300, 200),
            u32(9, 118_700, 180),
            u32(11, 130_200, 190),
            u32(13, 39_910, 20),
            u32(15, 40_020, 20),
            u32(17, 39_871, 20),
            i32(19, 271_140, 300),
            i32(21, 263_390, 300),
            i32(23, 282_010, 300),
        ],
    },
    Map {
        device: "Socomec Diris A-10",
        values: &[
            u32(0xC550, 48_213, 1),
            u32(0xC552, 39_910, 8),
            u32(0xC554, 40_020, 8),
            u32(0xC556, 39_871, 9),
            u32(0xC558, 23_041, 7),
            u32(0xC55A, 23_102, 5),
            u32(0xC55C, 22_987, 8),
            u32(0xC55E, 4_998, 1),
            u32(0xC560, 12_430, 13),
            u32(0xC562, 11_870, 12),
            u32(0xC564, 13_020, 14),
            u32(0xC566, 172, 2),
        ],
    },
    Map {
        device: "Huawei SUN2000, output",
        values: &[
            i32(32064, 13_102, 20),
            u16(32066, 3991, 3),
            u16(32067, 4002, 3),
            u16(32068, 3987, 3),
            u16(32069, 2304, 2),
            u16(32070, 2311, 2),
            u16(32071, 2299, 2),
            i32(32072, 18_730, 20),
            i32(32074, 18_812, 20),
            i32(32076, 18_690, 20),
            i32(32078, 14_211, 4),
            i32(32080, 12_840, 30),
            i32(32082, -412, 10),
            i16(32084, 999, 1),
            u16(32085, 4998, 1),
            u16(32086, 9823, 3),
            i16(32087, 412, 1),
            (32088, Kind::U16, Fixed(3000)),
            (32089, Kind::U16, Fixed(512)),
            (32090, Kind::U16, Fixed(0)),
            (32091, Kind::EpochS, Time(24_012)),
        ],
    },
    Map {
        device: "Phoenix Contact EEM-MA370",
        values: &[
            float(0x8000, 399.1),
            float(0x8002, 400.2),
            float(0x8004, 398.8),
            float(0x8006, 230.41),
            float(0x8008, 231.02),
            float(0x800A, 229.87),
            float(0x800C, 49.98),
            float(0x800E, 12.43),
            float(0x8010, 11.87),
            float(0x8012, 13.02),
            float(0x8014, 0.74),
            float(0x8016, 8165.4),
        ],
    },
    Map {
        device: "the press of press-line.toml",
        values: &[
            (0, Kind::U16, Fixed(2)),
            (1, Kind::U32, Count(65_530, 3)),
            (3, Kind::U16, Fixed(41)),
            (4, Kind::U16, Nothing),
            (5, Kind::U16, Nothing),
            (6, Kind::U32, Nothing),
            (8, Kind::U32, Nothing),
            (10, Kind::F32, Float(60.5, 1)),
            i16(12, 152, 1),
        ],
    },
    Map {
        device: "a PLC with counters of parts, hours and a recipe",
        values: &[
            (0, Kind::U16, Fixed(3)),
            (1, Kind::U16, Fixed(17)),
            (2, Kind::U32, Count(1_203_441, 2)),
            (4, Kind::U32, Count(1_198_002, 2)),
            (6, Kind::U32, Fixed(5_439)),
            (8, Kind::U32, Count(9_812_334, 1)),
            (10, Kind::F32, Float(182.4, 1)),
            (12, Kind::F32, Float(180.0, 1)),
            (14, Kind::Text, Text("RECIPE-0042", 6)),
        ],
    },
    Map {
        device: "a meter that says energy in BCD",
        values: &[
            (0, Kind::Bcd32, Count(12_345_678, 1)),
            (2, Kind::Bcd32, Fixed(97_531_246)),
            (4, Kind::Bcd32, Fixed(28_112_094)),
            (6, Kind::Bcd32, Count(34_560_129, 1)),
        ],
    },
    Map {
        device: "Delta VFD-E, status monitor: single registers only",
        values: &[
            (0x2100, Kind::U16, Fixed(0)),
            (0x2101, Kind::U16, Fixed(0x0301)),
            u16(0x2102, 5000, 0),
            u16(0x2103, 4987, 3),
            u16(0x2104, 321, 2),
            u16(0x2105, 5401, 4),
            u16(0x2106, 3802, 6),
            (0x2107, Kind::U16, Fixed(0)),
            (0x2108, Kind::U16, Fixed(0)),
            u16(0x2109, 4, 0),
        ],
    },
    Map {
        device: "a controller of temperatures: single registers only",
        values: &[
            i16(0, 1824, 2),
            i16(1, 1800, 0),
            i16(2, 237, 1),
            i16(3, -52, 1),
            (4, Kind::U16, Fixed(1)),
            u16(5, 640, 9),
            (6, Kind::U16, Fixed(0)),
            (7, Kind::U16, Fixed(100)),
        ],
    },
];
