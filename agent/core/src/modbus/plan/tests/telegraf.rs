//! Telegraf's example register sets, and the requests it makes for them.
//!
//! Facts from influxdata/telegraf (MIT), `plugins/inputs/modbus/configuration_request_test.go` and
//! `configuration_register_test.go`: the fields of each test and the requests it expects of each
//! `optimization`. Fields that are marked `omit` there are gaps here: nobody wants their values.

use super::*;

/// One test of Telegraf's.
struct Set {
    /// The test, and the case within it.
    name: &'static str,
    table: Table,
    /// Addresses that one request may ask for, there.
    limit: u16,
    fields: &'static [Fields],
    made: &'static [Made],
}

/// Fields of one type at regular addresses: the first, how many, from one to the next.
struct Fields(u16, u16, u16, Kind);

/// What Telegraf makes of a set: by which optimisation, requests, addresses asked for in all.
struct Made(&'static str, usize, usize);

impl Set {
    fn tags(&self) -> Vec<Tag> {
        let places = |Fields(first, count, step, kind): &Fields| {
            let (first, step, kind) = (*first, *step, *kind);
            (0..*count).map(move |nth| tag(self.table, first + nth * step, kind, 1000))
        };
        self.fields.iter().flat_map(places).collect()
    }

    /// The fewest requests that an optimisation makes of it.
    fn best(&self) -> usize {
        let requests = self.made.iter().map(|Made(_, requests, _)| *requests);
        requests.min().unwrap()
    }
}

const SETS: &[Set] = &[
    Set {
        name: "TestRequestOptimization: no omit",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(0, 250, 1, Kind::I16)],
        made: &[
            Made("shrink", 2, 250),
            Made("rearrange", 2, 250),
            Made("aggressive", 2, 250),
        ],
    },
    Set {
        name: "TestRequestOptimization: borders",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(0, 1, 1, Kind::I16),
            Fields(124, 2, 1, Kind::I16),
            Fields(249, 1, 1, Kind::I16),
        ],
        made: &[
            Made("shrink", 2, 250),
            Made("rearrange", 2, 250),
            Made("aggressive", 2, 250),
        ],
    },
    // The same wanted fields as in the set before; there, fewer of the gaps are named.
    Set {
        name: "TestRequestOptimization: borders with gap",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(0, 1, 1, Kind::I16),
            Fields(124, 2, 1, Kind::I16),
            Fields(249, 1, 1, Kind::I16),
        ],
        made: &[
            Made("shrink", 3, 127),
            Made("rearrange", 3, 4),
            Made("aggressive", 2, 250),
        ],
    },
    Set {
        name: "TestRequestOptimization: large gaps",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(18, 3, 1, Kind::I16),
            Fields(123, 5, 1, Kind::I16),
            Fields(167, 2, 1, Kind::I16),
        ],
        made: &[
            Made("shrink", 3, 10),
            Made("rearrange", 3, 10),
            Made("aggressive", 2, 49),
            Made("max_insert of 5", 3, 10),
        ],
    },
    Set {
        name: "TestRequestOptimization: large gaps filled",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(0, 1, 1, Kind::I16),
            Fields(18, 3, 1, Kind::I16),
            Fields(123, 5, 1, Kind::I16),
            Fields(167, 2, 1, Kind::I16),
        ],
        made: &[
            Made("shrink", 2, 169),
            Made("rearrange", 2, 67),
            Made("aggressive", 2, 67),
            Made("max_insert of 5", 4, 11),
        ],
    },
    Set {
        name: "TestRequestOptimization: large gaps filled with offset",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(18, 3, 1, Kind::I16),
            Fields(123, 5, 1, Kind::I16),
            Fields(167, 2, 1, Kind::I16),
        ],
        made: &[
            Made("shrink", 2, 112),
            Made("rearrange", 2, 49),
            Made("aggressive", 2, 49),
            Made("max_insert of 5", 3, 10),
        ],
    },
    Set {
        name: "TestRequestOptimization: worst case",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(0, 125, 2, Kind::I16)],
        made: &[Made("shrink", 2, 248)],
    },
    Set {
        name: "TestRequestOptimization: from PR #11106",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(2, 1, 1, Kind::I16), Fields(251, 1, 1, Kind::I16)],
        made: &[
            Made("shrink", 2, 2),
            Made("rearrange", 2, 2),
            Made("aggressive", 2, 2),
        ],
    },
    // Four fields that lie over one another: 1–2, 3–6, 5–6, 7–8.
    Set {
        name: "TestRequestOverlap",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(1, 1, 1, Kind::U32),
            Fields(3, 1, 1, Kind::U64),
            Fields(5, 2, 2, Kind::U32),
        ],
        made: &[Made("max_insert of 16", 1, 8)],
    },
    Set {
        name: "TestRequest: coils of two sections",
        table: Table::Coil,
        limit: 2000,
        fields: &[
            Fields(0, 1, 1, Kind::Bool),
            Fields(2, 2, 1, Kind::Bool),
            Fields(6, 1, 1, Kind::Bool),
            Fields(8, 2, 1, Kind::Bool),
        ],
        made: &[Made("none", 2, 8)],
    },
    Set {
        name: "TestRequest: discrete inputs",
        table: Table::Discrete,
        limit: 2000,
        fields: &[Fields(0, 1, 1, Kind::Bool), Fields(2, 2, 1, Kind::Bool)],
        made: &[Made("none", 1, 4)],
    },
    Set {
        name: "TestRequest: holding registers",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(0, 1, 1, Kind::I16), Fields(2, 1, 1, Kind::I64)],
        made: &[Made("none", 1, 6)],
    },
    Set {
        name: "TestRequest: input registers",
        table: Table::Input,
        limit: 125,
        fields: &[Fields(0, 1, 1, Kind::I16), Fields(2, 1, 1, Kind::I64)],
        made: &[Made("none", 1, 6)],
    },
    Set {
        name: "TestRequestStartingWithOmits",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(2, 1, 1, Kind::I16)],
        made: &[Made("none", 1, 3)],
    },
    Set {
        name: "TestRequestGroupWithOmittedFieldsOnly",
        table: Table::Holding,
        limit: 125,
        fields: &[Fields(8, 1, 1, Kind::I16)],
        made: &[Made("none", 1, 1)],
    },
    // Where Telegraf works around a device that wants every read of coils to begin at 0.
    Set {
        name: "TestRequestWorkaroundsReadCoilsStartingAtZeroRequest",
        table: Table::Coil,
        limit: 2000,
        fields: &[Fields(8, 1, 1, Kind::Bool), Fields(2000, 1, 1, Kind::Bool)],
        made: &[Made("none", 2, 10)],
    },
    // There a string of ten registers, here three numbers that lie where it lies.
    Set {
        name: "TestRegisterHighAddresses",
        table: Table::Holding,
        limit: 125,
        fields: &[
            Fields(65524, 2, 4, Kind::U64),
            Fields(65532, 1, 1, Kind::U32),
            Fields(65534, 1, 1, Kind::U16),
        ],
        made: &[Made("none", 1, 11)],
    },
    Set {
        name: "TestRegisterMaxRegistersWorkaround: coils",
        table: Table::Coil,
        limit: 6,
        fields: &[Fields(0, 10, 1, Kind::Bool)],
        made: &[Made("none", 2, 10)],
    },
    Set {
        name: "TestRegisterMaxRegistersWorkaround: discrete inputs",
        table: Table::Discrete,
        limit: 6,
        fields: &[Fields(0, 10, 1, Kind::Bool)],
        made: &[Made("none", 2, 10)],
    },
    Set {
        name: "TestRegisterMaxRegistersWorkaround: holding registers",
        table: Table::Holding,
        limit: 8,
        fields: &[Fields(0, 10, 4, Kind::U64)],
        made: &[Made("none", 5, 40)],
    },
    Set {
        name: "TestRegisterMaxRegistersWorkaround: input registers",
        table: Table::Input,
        limit: 8,
        fields: &[Fields(0, 10, 4, Kind::U64)],
        made: &[Made("none", 5, 40)],
    },
    // There a workaround for devices that answer one field at a time.
    Set {
        name: "TestRequestWorkaroundsOneRequestPerField",
        table: Table::Holding,
        limit: 1,
        fields: &[Fields(1, 5, 1, Kind::I16)],
        made: &[Made("none", 5, 5)],
    },
];

#[test]
fn telegraf_makes_no_fewer_requests_and_asks_for_no_fewer_addresses() {
    for set in SETS {
        let items = if set.table.is_bits() { 16 } else { 1 };
        let manners = Manners {
            max_registers: set.limit / items,
            ..Manners::default()
        };
        let plan = Plan::new(&asked(&model(set.tags()), Medium::Network, manners));
        let (ours, best) = (plan.reads.len(), set.best());
        assert!(ours <= best, "{}: {ours} requests, {best} there", set.name);
        let addresses: usize = plan.reads.iter().map(|r| usize::from(r.count)).sum();
        for Made(optimisation, requests, there) in set.made {
            assert!(
                *requests > ours || *there >= addresses,
                "{}: {addresses} addresses, {there} by {optimisation}",
                set.name
            );
        }
    }
}

/// What was copied wrongly is likely to be impossible.
#[test]
fn what_telegraf_makes_is_possible() {
    for set in SETS {
        let addresses = |place: Place| u32::from(place.start)..place.end;
        let mut wanted: Vec<u32> = places(&model(set.tags()))
            .into_iter()
            .flat_map(addresses)
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        for Made(optimisation, requests, asked) in set.made {
            let most = requests * usize::from(set.limit);
            let possible = wanted.len()..=most;
            assert!(possible.contains(asked), "{}: {optimisation}", set.name);
        }
    }
}
