// Command payload is what the containers of these tests run: it holds the given number of MiB and waits, or, with a second word,
// uses all the CPU it gets; each SIGUSR1 ends that or begins it anew. Told to stop it ends at once, or after the time in PAYLOAD_ENDS_AFTER.
package main

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)

	var endsAfter time.Duration
	if text := os.Getenv("PAYLOAD_ENDS_AFTER"); text != "" {
		var err error
		if endsAfter, err = time.ParseDuration(text); err != nil {
			os.Exit(2)
		}
	}

	held := hold(os.Args[1:])
	if len(os.Args) > 2 {
		calm := make(chan os.Signal, 1)
		signal.Notify(calm, syscall.SIGUSR1)
		go func() {
			for {
				for len(calm) == 0 {
					held[0] = 1
				}
				<-calm
				<-calm
			}
		}()
	}

	// Looked at once more at the end, so that the collector does not take the memory back before.
	<-stop
	time.Sleep(endsAfter)
	if len(held) > 0 && held[0] != 1 {
		os.Exit(1)
	}
}

// hold touches every page of the memory it takes.
func hold(args []string) []byte {
	const page = 4096
	if len(args) == 0 {
		return nil
	}
	mib, err := strconv.Atoi(args[0])
	if err != nil || mib < 0 || mib > 1024 || mib == 0 && len(args) > 1 {
		os.Exit(2)
	}

	held := make([]byte, mib<<20)
	for i := 0; i < len(held); i += page {
		held[i] = 1
	}
	return held
}
