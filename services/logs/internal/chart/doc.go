// Package chart turns records into charts.
//
// A chart is one [Model]: panes, axes with units, series of points, bands, a legend with figures, a table and a sentence.
// It is a pure function of the records of a range ([Set]). Two renderers draw the same model, package echarts for the
// browser and package png for files, so that a page, a file and a picture of one range show the same numbers. This package
// knows neither, nor a library that draws.
//
// Names, command lines and labels inside a model are hostile data. Nothing here renders them into markup.
package chart
