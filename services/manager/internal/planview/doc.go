// Package planview shows plans of version 2: the reason of each verdict in words, and the whole plan as a table.
package planview
