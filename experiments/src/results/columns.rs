//! What the columns of the tables hold: the documentation of the fields of their rows.

use schemars::{JsonSchema, schema_for};

use super::{
    CounterRow, EnergyRow, EventRow, LinkRow, QueueRow, RequestRow, Row, SequenceRow, SubflowRow,
    SummaryRow, TimeseriesRow, header,
};
use crate::scenario::Table;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, which ends in its unit.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// The columns of a table, in their order.
pub fn columns(table: Table) -> Vec<Column> {
    match table {
        Table::Summary => columns_of::<SummaryRow>(),
        Table::Subflows => columns_of::<SubflowRow>(),
        Table::Timeseries => columns_of::<TimeseriesRow>(),
        Table::Links => columns_of::<LinkRow>(),
        Table::Queues => columns_of::<QueueRow>(),
        Table::Events => columns_of::<EventRow>(),
        Table::Counters => columns_of::<CounterRow>(),
        Table::Requests => columns_of::<RequestRow>(),
        Table::Energy => columns_of::<EnergyRow>(),
        Table::Sequence => columns_of::<SequenceRow>(),
    }
}

fn columns_of<R: Row + Default + JsonSchema>() -> Vec<Column> {
    let schema = schema_for!(R);
    let text = |name: &str| {
        let field = schema.get("properties")?.get(name)?;
        let words = field.get("description")?.as_str()?.split_whitespace();
        Some(words.collect::<Vec<_>>().join(" "))
    };
    let names = header::<R>().unwrap_or_default();
    let names = names.iter();
    names
        .map(|name| Column { name: name.to_owned(), text: text(name).unwrap_or_default() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_says_what_it_holds() {
        for table in Table::ALL {
            let columns = columns(table);
            assert!(columns.len() >= 3, "{}", table.name());
            for column in columns {
                assert!(column.text.ends_with('.'), "{}: {column:?}", table.name());
            }
        }
    }
}
