module gestor.local/tools

go 1.26
