//! Result rows as Arrow columns.
//!
//! A table is made once from the rows of a run; whoever speaks the Arrow C stream interface then
//! reads its memory in place, and so does NumPy.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Float64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, LargeStringArray, RecordBatch,
    RecordBatchIterator, UInt64Array,
};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_arrow::schema::{SchemaLike, TracingOptions};

use crate::errors;

/// Columns with names, all of one length.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Table {
    batch: RecordBatch,
}

/// One column of a table.
#[pyclass(frozen, module = "mptcpsim._mptcpsim")]
pub(crate) struct Column {
    array: ArrayRef,
}

/// The columns of rows. Where nothing is known, the memory of a column of reals holds NaN, as NumPy
/// expects it.
pub(crate) fn table_of<R: Serialize + DeserializeOwned>(rows: &Vec<R>) -> PyResult<Table> {
    let fields = Vec::<FieldRef>::from_type::<R>(TracingOptions::default());
    let batch = fields
        .and_then(|fields| serde_arrow::to_record_batch(&fields, rows))
        .map_err(errors::internal)?;
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Float64 if column.null_count() > 0 => with_nan(column),
        _ => Arc::clone(column),
    });
    let batch = RecordBatch::try_new(batch.schema(), columns.collect());
    Ok(Table { batch: batch.map_err(errors::internal)? })
}

fn with_nan(column: &ArrayRef) -> ArrayRef {
    let known = column.as_primitive::<Float64Type>();
    let values = known.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<_>>();
    Arc::new(Float64Array::new(values.into(), known.nulls().cloned()))
}

#[pymethods]
impl Table {
    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    /// The column called `name`.
    fn column(&self, name: &str) -> PyResult<Column> {
        let array = self.batch.column_by_name(name);
        let array = array.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        Ok(Column { array: Arc::clone(array) })
    }

    /// A row as a dictionary.
    fn row<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        if index >= self.batch.num_rows() {
            return Err(PyIndexError::new_err(index));
        }
        let row = PyDict::new(py);
        for (field, array) in self.batch.schema().fields().iter().zip(self.batch.columns()) {
            row.set_item(field.name(), value(py, array, index)?)?;
        }
        Ok(row)
    }

    /// A part of the table: rows that follow each other.
    fn slice(&self, start: usize, len: usize) -> PyResult<Self> {
        let rows = self.batch.num_rows();
        if start > rows || len > rows - start {
            return Err(PyIndexError::new_err((start, len)));
        }
        Ok(Self { batch: self.batch.slice(start, len) })
    }

    /// The table as the CSV text that a run writes into its file.
    fn to_csv(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| csv_of(&self.batch)).map_err(errors::internal)
    }

    /// The table in Arrow's format for streams between processes.
    fn to_ipc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let written = py.detach(|| {
            let mut writer = StreamWriter::try_new(Vec::new(), &self.batch.schema())?;
            writer.write(&self.batch)?;
            writer.into_inner()
        });
        Ok(PyBytes::new(py, &written.map_err(errors::internal)?))
    }

    /// The table through the Arrow C stream interface, in one batch.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A consumer must take what it gets: another schema is a wish.
        drop(requested_schema);
        let reader = RecordBatchIterator::new([Ok(self.batch.clone())], self.batch.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.array.len()
    }

    /// How many values are not known.
    #[getter]
    fn null_count(&self) -> usize {
        self.array.null_count()
    }

    /// What NumPy reads numbers in place with; columns of other types have none.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let none = || pyo3::exceptions::PyAttributeError::new_err("__array_interface__");
        let unknown = self.array.null_count() > 0;
        let (kind, address) = match self.array.data_type() {
            DataType::Float64 => {
                ("<f8", self.array.as_primitive::<Float64Type>().values().as_ptr().addr())
            }
            DataType::UInt64 if !unknown => {
                ("<u8", self.array.as_primitive::<UInt64Type>().values().as_ptr().addr())
            }
            DataType::UInt32 if !unknown => {
                ("<u4", self.array.as_primitive::<UInt32Type>().values().as_ptr().addr())
            }
            _ => return Err(none()),
        };
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", (self.array.len(),))?;
        interface.set_item("typestr", kind)?;
        interface.set_item("data", (address, true))?;
        Ok(interface)
    }

    /// Truth values, one byte each; `None` if the column holds something else.
    fn truth_bytes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let values = self.array.as_boolean_opt()?;
        let bytes = values.iter().map(|value| u8::from(value == Some(true))).collect::<Vec<_>>();
        Some(PyBytes::new(py, &bytes))
    }

    /// The values as objects, `None` where nothing is known.
    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let values = (0..self.array.len()).map(|index| value(py, &self.array, index));
        PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)
    }

    /// Only this column, through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let field = Field::new("value", self.array.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(schema, vec![Arc::clone(&self.array)]);
        Table { batch: batch.map_err(errors::internal)? }.__arrow_c_stream__(py, requested_schema)
    }
}

/// A table in Arrow's format for streams between processes.
#[pyfunction]
pub(crate) fn table_of_ipc(data: &[u8]) -> PyResult<Table> {
    let unreadable = |error: ArrowError| PyValueError::new_err(format!("data: {error}"));
    let mut reader = StreamReader::try_new(data, None).map_err(unreadable)?;
    match reader.next() {
        Some(batch) => Ok(Table { batch: batch.map_err(unreadable)? }),
        None => Ok(Table { batch: RecordBatch::new_empty(reader.schema()) }),
    }
}

/// A table in CSV. `kinds` says of columns whether they are `integer`, `real` or `bool`; others are texts.
/// Whole numbers with gaps become reals.
#[pyfunction]
pub(crate) fn table_of_csv(
    py: Python<'_>,
    data: &str,
    kinds: BTreeMap<String, String>,
) -> PyResult<Table> {
    py.detach(|| columns_of_csv(data, &kinds))
        .map_err(|error| PyValueError::new_err(format!("data: {error}")))
}

fn columns_of_csv(data: &str, kinds: &BTreeMap<String, String>) -> Result<Table, csv::Error> {
    let mut reader = csv::Reader::from_reader(data.as_bytes());
    let header = reader.headers()?.clone();
    let records = reader.records().collect::<Result<Vec<_>, _>>()?;
    let columns = header.iter().enumerate().map(|(position, name)| {
        let cells = || records.iter().map(|record| record.get(position).unwrap_or(""));
        let kind = kinds.get(name).map_or("text", String::as_str);
        (name, column_of(cells, kind), true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>());
    let batch = batch.map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(Table { batch })
}

fn column_of<'a, I: Iterator<Item = &'a str>>(
    cells: impl Fn() -> I + Copy,
    kind: &str,
) -> ArrayRef {
    let whole = || cells().map(|cell| cell.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    match kind {
        "bool" => Arc::new(cells().map(|cell| cell.parse::<bool>().ok()).collect::<BooleanArray>()),
        "integer" => match whole() {
            Some(values) => Arc::new(UInt64Array::from(values)),
            None => column_of(cells, "real"),
        },
        "real" => {
            let values = cells().map(|cell| cell.parse::<f64>().ok());
            with_nan(&(Arc::new(values.collect::<Float64Array>()) as ArrayRef))
        }
        _ => Arc::new(cells().map(Some).collect::<LargeStringArray>()),
    }
}

/// A value as the CSV files of a run have it.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell<'a> {
    Nothing(()),
    Real(f64),
    Whole(u64),
    Truth(bool),
    Text(&'a str),
}

fn csv_of(batch: &RecordBatch) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(batch.schema().fields().iter().map(|field| field.name()))?;
    for index in 0..batch.num_rows() {
        writer.serialize(
            batch.columns().iter().map(|array| cell(array, index)).collect::<Vec<_>>(),
        )?;
    }
    let text = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn cell(array: &ArrayRef, index: usize) -> Cell<'_> {
    if array.is_null(index) {
        return Cell::Nothing(());
    }
    match array.data_type() {
        DataType::Float64 => Cell::Real(array.as_primitive::<Float64Type>().value(index)),
        DataType::UInt64 => Cell::Whole(array.as_primitive::<UInt64Type>().value(index)),
        DataType::UInt32 => Cell::Whole(array.as_primitive::<UInt32Type>().value(index).into()),
        DataType::Boolean => Cell::Truth(array.as_boolean().value(index)),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(index)),
        _ => Cell::Nothing(()),
    }
}

fn value<'py>(py: Python<'py>, array: &ArrayRef, index: usize) -> PyResult<Bound<'py, PyAny>> {
    match cell(array, index) {
        Cell::Nothing(()) => Ok(py.None().into_bound(py)),
        Cell::Real(value) => value.into_bound_py_any(py),
        Cell::Whole(value) => value.into_bound_py_any(py),
        Cell::Truth(value) => value.into_bound_py_any(py),
        Cell::Text(value) => value.into_bound_py_any(py),
    }
}
