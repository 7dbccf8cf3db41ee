// Command upload uploads a file with Go's net/http as a tus client does. It prints each event as a
// line of JSON.
//
// Arguments: the URL that creates uploads, the file, the file that remembers URLs, and how often to
// retry. If the upload is interrupted once more, it exits with 1; the next run resumes it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: upload <endpoint> <file> <urls> <retries>")
	}
	endpoint, path, urls := os.Args[1], os.Args[2], urlStore(os.Args[3])
	retries, err := strconv.Atoi(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()

	for attempt := 0; ; attempt++ {
		url, err := upload(endpoint, file, urls)
		if err == nil {
			report(map[string]any{"event": "uploaded", "url": url})
			return
		}
		report(map[string]any{"event": "interrupted", "error": err.Error()})
		var status statusError
		if errors.As(err, &status) || attempt == retries {
			os.Exit(1)
		}
	}
}

func report(event map[string]any) {
	line, err := json.Marshal(event)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

// upload creates or resumes the upload of a file, and returns its URL when all bytes are stored.
func upload(endpoint string, file *os.File, urls urlStore) (string, error) {
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	url, err := urls.get(file.Name())
	if err != nil {
		return "", err
	}
	var offset int64
	if url == "" {
		url, err = create(endpoint, info.Size())
		if err == nil {
			err = urls.set(file.Name(), url)
		}
	} else {
		offset, err = head(url)
	}
	if err != nil {
		return "", err
	}
	report(map[string]any{"event": "started", "offset": offset})
	for offset < info.Size() {
		rest := io.NewSectionReader(file, offset, info.Size()-offset)
		if offset, err = patch(url, offset, rest); err != nil {
			return "", err
		}
	}
	return url, nil
}

func create(endpoint string, length int64) (string, error) {
	request, err := http.NewRequest(http.MethodPost, endpoint, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Upload-Length", strconv.FormatInt(length, 10))
	response, err := send(request, http.StatusCreated)
	if err != nil {
		return "", err
	}
	url, err := response.Location()
	if err != nil {
		return "", err
	}
	return url.String(), nil
}

// head asks for the offset.
func head(url string) (int64, error) {
	request, err := http.NewRequest(http.MethodHead, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := send(request, http.StatusOK)
	if err != nil {
		return 0, err
	}
	return offsetOf(response)
}

// patch sends the rest of a file from an offset, and returns the new offset.
func patch(url string, offset int64, rest *io.SectionReader) (int64, error) {
	request, err := http.NewRequest(http.MethodPatch, url, rest)
	if err != nil {
		return 0, err
	}
	request.ContentLength = rest.Size()
	request.Header.Set("Content-Type", "application/offset+octet-stream")
	request.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	response, err := send(request, http.StatusNoContent)
	if err != nil {
		return 0, err
	}
	return offsetOf(response)
}

func send(request *http.Request, expected int) (*http.Response, error) {
	request.Header.Set("Tus-Resumable", "1.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != expected {
		return nil, statusError(response.StatusCode)
	}
	// A connection is used again only if its body has been read.
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}

func offsetOf(response *http.Response) (int64, error) {
	return strconv.ParseInt(response.Header.Get("Upload-Offset"), 10, 64)
}

// statusError is an unexpected status. It is final: the program retries only broken connections.
type statusError int

func (status statusError) Error() string {
	return fmt.Sprintf("unexpected status %d", int(status))
}

// urlStore is the name of a JSON file with the URL of the upload of each file.
type urlStore string

func (store urlStore) get(name string) (string, error) {
	urls, err := store.read()
	return urls[name], err
}

func (store urlStore) set(name, url string) error {
	urls, err := store.read()
	if err != nil {
		return err
	}
	urls[name] = url
	content, err := json.Marshal(urls)
	if err != nil {
		return err
	}
	return os.WriteFile(string(store), content, 0o600)
}

func (store urlStore) read() (map[string]string, error) {
	urls := map[string]string{}
	content, err := os.ReadFile(string(store))
	if errors.Is(err, os.ErrNotExist) {
		return urls, nil
	}
	if err != nil {
		return nil, err
	}
	return urls, json.Unmarshal(content, &urls)
}
