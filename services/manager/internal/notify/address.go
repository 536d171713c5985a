package notify

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// errNoURL does not quote what it is about.
var errNoURL = errors.New("GESTOR_NOTIFY_URL is not an address (want https://…)")

// URLFrom is where the webhook's address comes from: the text itself, or a file that holds it and is read before each call, so
// that a new address needs no restart. The error is of both, or of a text that is no address; it holds nothing of either text.
func URLFrom(text, file string) (func() (string, error), error) {
	switch {
	case text != "" && file != "":
		return nil, errors.New("GESTOR_NOTIFY_URL and GESTOR_NOTIFY_URL_FILE are both set: one of them is enough")

	case file != "":
		return func() (string, error) { return readURL(file) }, nil

	case !isWebhook(text):
		return nil, errNoURL

	default:
		return func() (string, error) { return text, nil }, nil
	}
}

func readURL(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read GESTOR_NOTIFY_URL_FILE: %w", err)
	}

	address := strings.TrimSpace(string(text))
	if !isWebhook(address) {
		return "", errors.New("GESTOR_NOTIFY_URL_FILE holds no address (want https://…)")
	}
	return address, nil
}

func isWebhook(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}
