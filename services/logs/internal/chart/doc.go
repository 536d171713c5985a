// Package chart turns records into charts.
//
// A chart is one [Model]: panes, axes with units, series of points, bands, a legend with figures, a table and a sentence.
// It is a pure function of the records of a range ([Set]). Two renderers draw the same model: [Option] (go-echarts
// options for the browser) and [WritePNG] (gonum/plot), so that a page, a file and a picture of one range show the same
// numbers.
//
// Names, command lines and labels inside a model are hostile data. Nothing here renders them into markup: [Option]
// returns a value for encoding/json, [WritePNG] draws glyphs.
package chart
