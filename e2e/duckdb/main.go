// Command duckdb reads SQL from standard input, runs it in an empty in-memory DuckDB and prints every row of its last
// statement as a line of JSON.
//
// It is a module of its own, outside the workspace: DuckDB's library weighs more than everything else together, and only
// the test of the examples in docs/records.md needs it.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "duckdb:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	query, err := io.ReadAll(in)
	if err != nil {
		return err
	}

	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()

	rows, err := db.Query(string(query)) //nolint:noctx // ends with the process
	if err != nil {
		return err
	}
	defer rows.Close()

	names, err := rows.Columns()
	if err != nil {
		return err
	}

	for rows.Next() {
		if err := write(rows, names, out); err != nil {
			return err
		}
	}
	return rows.Err()
}

func write(rows *sql.Rows, names []string, out io.Writer) error {
	values, targets, row := make([]any, len(names)), make([]any, len(names)), map[string]any{}

	// Scan wants a place for each value: the driver chooses its type.
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return err
	}

	for i, name := range names {
		row[name] = values[i]
	}
	return json.NewEncoder(out).Encode(row)
}
