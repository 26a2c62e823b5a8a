//! The table of a sweep as Parquet, without Arrow: flat columns in which any cell can be empty.

use std::fs::File;
use std::sync::Arc;

use csv::StringRecord;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::tables::{Column, Kind};

/// Rows that are written at a time: what a writer keeps in memory.
const GROUP: usize = 8_192;

/// Writes rows into a file.
pub(super) struct Writer {
    file: SerializedFileWriter<File>,
    cells: Vec<Cells>,
    rows: usize,
}

/// The cells of a column that are not written yet, and which of them are empty.
struct Cells {
    values: Values,
    present: Vec<i16>,
}

enum Values {
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<ByteArray>),
}

impl Writer {
    pub(super) fn new(columns: &[Column], file: File) -> Result<Self, ParquetError> {
        let fields = columns.iter().map(|column| field(column).map(Arc::new));
        let schema = Type::group_type_builder("results")
            .with_fields(fields.collect::<Result<_, _>>()?)
            .build()?;
        let properties = Arc::new(WriterProperties::builder().build());
        Ok(Self {
            file: SerializedFileWriter::new(file, Arc::new(schema), properties)?,
            cells: columns.iter().map(|column| Cells::new(column.kind)).collect(),
            rows: 0,
        })
    }

    pub(super) fn add(&mut self, row: &StringRecord) -> Result<(), ParquetError> {
        for (cells, text) in self.cells.iter_mut().zip(row) {
            cells.add(text);
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Result<(), ParquetError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file.into_inner()?.sync_all()?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for cells in &mut self.cells {
            let Some(mut column) = group.next_column()? else { break };
            let present = Some(cells.present.as_slice());
            match (column.untyped(), &cells.values) {
                (ColumnWriter::Int64ColumnWriter(writer), Values::Integer(values)) => {
                    writer.write_batch(values, present, None)?
                }
                (ColumnWriter::DoubleColumnWriter(writer), Values::Real(values)) => {
                    writer.write_batch(values, present, None)?
                }
                (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => {
                    writer.write_batch(values, present, None)?
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(values)) => {
                    writer.write_batch(values, present, None)?
                }
                _ => return Err(ParquetError::General("a column changed its type".into())),
            };
            column.close()?;
            cells.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Integer => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

impl Cells {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
        };
        Self { values, present: Vec::new() }
    }

    fn add(&mut self, text: &str) {
        fn push<T: std::str::FromStr>(values: &mut Vec<T>, text: &str) -> bool {
            text.parse().map(|value| values.push(value)).is_ok()
        }
        let present = match &mut self.values {
            Values::Integer(values) => push(values, text),
            Values::Real(values) => push(values, text),
            Values::Bool(values) => push(values, text),
            Values::Text(values) => {
                if !text.is_empty() {
                    values.push(text.into());
                }
                !text.is_empty()
            }
        };
        self.present.push(present.into());
    }

    fn clear(&mut self) {
        self.present.clear();
        match &mut self.values {
            Values::Integer(values) => values.clear(),
            Values::Real(values) => values.clear(),
            Values::Bool(values) => values.clear(),
            Values::Text(values) => values.clear(),
        }
    }
}
