// Package engines holds what Gestor asks of a container engine, tried on several of them: each is started here in namespaces of
// its own and is restarted and killed by the tests. scripts/test-engines.sh (make test-engines) brings the engines and writes what
// came out into docs/engines.md.
package engines
