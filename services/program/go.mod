module gestor.local/program

go 1.26.0

require (
	gestor.local/contract v0.0.0
	github.com/caarlos0/env/v11 v11.4.2
	github.com/mattn/go-isatty v0.0.20
	github.com/rs/zerolog v1.35.1
)

require (
	github.com/mattn/go-colorable v0.1.14 // indirect
	golang.org/x/sys v0.48.0 // indirect
)

replace gestor.local/contract => ../contract
