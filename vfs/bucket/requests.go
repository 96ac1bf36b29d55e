package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"shelf/vfs/bucket/history"
)

// A condition is what an object must be when a change is made.
type condition struct {
	match  string // it has this ETag
	absent bool   // there is none
}

func (c condition) ifMatch() *string { return orNil(c.match) }

func (c condition) ifNoneMatch() *string {
	if c.absent {
		return aws.String("*")
	}
	return nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// body is what is sent, with its SHA-256. No body goes without: a store may publish
// what a cut connection has left of one.
type body struct {
	from   io.ReaderAt
	off, n int64 // bytes
	sum    string
}

// bodyOf reads n bytes of a file at off for their digest.
func bodyOf(from io.ReaderAt, off, n int64) (body, error) {
	sum := sha256.New()
	read, err := io.Copy(sum, io.NewSectionReader(from, off, n))
	if err == nil && read < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return body{}, fmt.Errorf("%w: %w", errLocal, err)
	}
	return body{from, off, n, hex.EncodeToString(sum.Sum(nil))}, nil
}

// bodyOfText is a body in memory.
func bodyOfText(text []byte) body {
	sum := sha256.Sum256(text)
	return body{bytes.NewReader(text), 0, int64(len(text)), hex.EncodeToString(sum[:])}
}

// reader is the body for one try.
func (b body) reader() io.ReadSeeker {
	return &localReader{io.NewSectionReader(b.from, b.off, b.n)}
}

// signed has a call signed with the digest of its body.
func (b body) signed(o *s3.Options) {
	set := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(v4.SetPayloadHash(ctx, b.sum), in)
	}
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("BodyDigest", set), middleware.Before)
	})
}

// localReader marks its errors as ours.
type localReader struct{ io.ReadSeeker }

// Read implements io.Reader.
func (r *localReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errLocal, err)
	}
	return n, err
}

// answer is what a store says of an object it has made.
type answer struct {
	etag, version string
}

// storeTime is the time of an answer by the clock of the store, so that the clocks of
// nodes need not agree.
func storeTime(m middleware.Metadata) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok {
		return t
	}
	return time.Now()
}

// put makes an object. If there must be none, a call whose answer was lost is not made
// again: it may have made the object, and another removed that.
func (s *store) put(ctx context.Context, key string, b body, meta map[string]string, c condition) (a answer, out outcome) {
	out = s.tryUntil(ctx, c.absent, func(ctx context.Context) error {
		in := &s3.PutObjectInput{
			Bucket: &s.bucket, Key: &key, Body: b.reader(), ContentLength: &b.n, Metadata: meta,
			IfMatch: c.ifMatch(), IfNoneMatch: c.ifNoneMatch(),
			ServerSideEncryption: types.ServerSideEncryption(s.o.Encryption), SSEKMSKeyId: orNil(s.o.KMSKey),
		}
		o, err := s.client.PutObject(ctx, in, b.signed)
		if err == nil {
			a = answer{aws.ToString(o.ETag), aws.ToString(o.VersionId)}
		}
		return err
	})
	return a, out
}

// putText makes a small hidden object, whatever was there.
func (s *store) putText(ctx context.Context, key string, text []byte) error {
	_, out := s.put(ctx, key, bodyOfText(text), nil, condition{})
	return out.err
}

// head describes an object. version "" is the one of now.
func (s *store) head(ctx context.Context, key string) (o *s3.HeadObjectOutput, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
		return err
	})
	return o, err
}

// headVersion describes a version of an object.
func (s *store) headVersion(ctx context.Context, key, version string) (o *s3.HeadObjectOutput, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key, VersionId: &version})
		return err
	})
	return o, err
}

// span is bytes of an object: n from off on; n 0 is to its end.
type span struct{ off, n int64 }

func (r span) header() *string {
	if r.n == 0 {
		return aws.String(fmt.Sprintf("bytes=%d-", r.off))
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", r.off, r.off+r.n-1))
}

// get opens a span of an object: of one version, or of the one that has an ETag, or
// of any. The ctx holds for reading it.
func (s *store) get(ctx context.Context, key string, r span, etag, version string) (o *s3.GetObjectOutput, err error) {
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: r.header(), IfMatch: orNil(etag), VersionId: orNil(version)}
	err = s.try(ctx, func(ctx context.Context) error {
		o, err = s.client.GetObject(ctx, in)
		return err
	})
	return o, err
}

// peek gets the first byte of an object, for what comes with it.
func (s *store) peek(ctx context.Context, key string) (d described, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: span{0, 1}.header()})
		if err != nil {
			return err
		}
		defer o.Body.Close()
		d = got(o)
		_, err = io.Copy(io.Discard, o.Body)
		return err
	})
	return d, err
}

// maxText is how large a hidden object with a text may be, in bytes.
const maxText = 4 << 20

// getText reads a small hidden object, and tells its ETag and its age.
func (s *store) getText(ctx context.Context, key string) (text []byte, etag string, age time.Duration, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			return err
		}
		defer o.Body.Close()
		text, err = io.ReadAll(io.LimitReader(o.Body, maxText))
		etag, age = aws.ToString(o.ETag), storeTime(o.ResultMetadata).Sub(aws.ToTime(o.LastModified))
		return err
	})
	return text, etag, age, err
}

// remove removes an object that meets a condition. That there is none is no error
// where the store says so.
func (s *store) remove(ctx context.Context, key string, c condition) outcome {
	return s.removeUntil(ctx, false, key, c)
}

// removeUntil is remove; with untilLost a call whose answer was lost is not made again:
// it may have removed the object, and another have made one like it.
func (s *store) removeUntil(ctx context.Context, untilLost bool, key string, c condition) outcome {
	return s.tryUntil(ctx, untilLost, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, IfMatch: c.ifMatch()})
		return err
	})
}

// eraseVersion removes a version for good. That there is none is no error.
func (s *store) eraseVersion(ctx context.Context, key, version string) error {
	err := s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key, VersionId: &version})
		return err
	})
	if isNoVersion(err) {
		return nil
	}
	return err
}

// removeHidden removes hidden objects; what fails is left to the sweeper.
func (s *store) removeHidden(ctx context.Context, keys ...string) {
	for _, key := range keys {
		if out := s.remove(ctx, key, condition{}); out.err != nil && !isGone(out.err) {
			s.o.Log.Warn("a hidden object was not removed", "key", key, "err", out.err)
		}
	}
}

// beginParts begins an upload in parts, and tells its id.
func (s *store) beginParts(ctx context.Context, key string, meta map[string]string) (id string, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: &key, Metadata: meta,
			ServerSideEncryption: types.ServerSideEncryption(s.o.Encryption), SSEKMSKeyId: orNil(s.o.KMSKey),
		})
		if err == nil {
			id = aws.ToString(o.UploadId)
		}
		return err
	})
	return id, err
}

// putPart sends a part, and tells its ETag.
func (s *store) putPart(ctx context.Context, key, id string, number int32, b body) (etag string, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		o, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, PartNumber: &number, Body: b.reader(), ContentLength: &b.n,
		}, b.signed)
		if err == nil {
			etag = aws.ToString(o.ETag)
		}
		return err
	})
	return etag, err
}

// copyPart makes a part of a span of an object that has the ETag, and tells the part's.
func (s *store) copyPart(ctx context.Context, key, id string, number int32, from *look, r span) (etag string, err error) {
	source := s.copySource(s.fileKey(from.name), from.version)
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, copyTimeout)
		defer cancel()
		o, err := s.working.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, PartNumber: &number,
			CopySource: &source, CopySourceIfMatch: &from.etag, CopySourceRange: r.header(),
		})
		if err == nil && o.CopyPartResult != nil {
			etag = aws.ToString(o.CopyPartResult.ETag)
		}
		return err
	})
	return etag, err
}

// The calls in which the store itself works take longer than others.
const (
	copyTimeout     = 2 * time.Minute
	completeTimeout = 5 * time.Minute
)

// complete makes an object of parts, in their order.
func (s *store) complete(ctx context.Context, key, id string, etags []string, c condition) (a answer, out outcome) {
	parts := make([]types.CompletedPart, len(etags))
	for i, etag := range etags {
		parts[i] = types.CompletedPart{ETag: aws.String(etag), PartNumber: aws.Int32(int32(i + 1))}
	}
	out = s.tryTo(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, completeTimeout)
		defer cancel()
		o, err := s.working.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
			IfMatch: c.ifMatch(), IfNoneMatch: c.ifNoneMatch(),
		})
		if err == nil {
			a = answer{aws.ToString(o.ETag), aws.ToString(o.VersionId)}
		}
		return err
	})
	return a, out
}

// abortParts drops an upload in parts; what fails is left to the sweeper.
func (s *store) abortParts(ctx context.Context, key, id string) {
	err := s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &id})
		return err
	})
	if err != nil && !isNoUpload(err) {
		s.o.Log.Warn("an upload in parts was not dropped", "key", key, "err", err)
	}
}

// page is a page of a list.
type page struct {
	objects []types.Object
	folders []types.CommonPrefix // of a flat list
	next    string               // token of the next page; "" is the last
	at      time.Time
}

// listPage lists keys, each with its prefix: those without another "/" if flat.
func (s *store) listPage(ctx context.Context, prefix, token string, flat bool, most int32) (p page, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix, ContinuationToken: orNil(token), MaxKeys: &most}
	if flat {
		in.Delimiter = aws.String("/")
	}
	err = s.try(ctx, func(ctx context.Context) error {
		ctx, cancel := s.brief(ctx)
		defer cancel()
		o, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return err
		}
		p = page{objects: o.Contents, folders: o.CommonPrefixes, at: storeTime(o.ResultMetadata)}
		if aws.ToBool(o.IsTruncated) {
			p.next = aws.ToString(o.NextContinuationToken)
		}
		return nil
	})
	return p, err
}

// maxKeys is how many keys a page of a list has.
const maxKeys = 1000

// hidden is a hidden object of a list.
type hidden struct {
	key string
	age time.Duration // since it was written, by the clock of the store
}

// versions lists the versions of keys without another "/". If now is not nil it is set to
// the time by the clock of the store.
func (s *store) versions(prefix string, now *time.Time) history.Pages {
	return func(ctx context.Context, from history.Mark) (p history.Page, err error) {
		in := &s3.ListObjectVersionsInput{
			Bucket: &s.bucket, Prefix: &prefix, Delimiter: aws.String("/"), MaxKeys: &s.perPage,
			KeyMarker: orNil(from.Key), VersionIdMarker: orNil(from.ID),
		}
		err = s.try(ctx, func(ctx context.Context) error {
			ctx, cancel := s.brief(ctx)
			defer cancel()
			o, err := s.client.ListObjectVersions(ctx, in)
			if err != nil {
				return err
			}
			p = versionsPage(o)
			if now != nil {
				*now = storeTime(o.ResultMetadata)
			}
			return nil
		})
		return p, err
	}
}

func versionsPage(o *s3.ListObjectVersionsOutput) (p history.Page) {
	for _, v := range o.Versions {
		p.Entries = append(p.Entries, history.Entry{
			Key: aws.ToString(v.Key), ID: aws.ToString(v.VersionId), Size: aws.ToInt64(v.Size),
			Made: aws.ToTime(v.LastModified), Latest: aws.ToBool(v.IsLatest),
		})
	}
	for _, m := range o.DeleteMarkers {
		p.Entries = append(p.Entries, history.Entry{
			Key: aws.ToString(m.Key), ID: aws.ToString(m.VersionId), Made: aws.ToTime(m.LastModified),
			Latest: aws.ToBool(m.IsLatest), Marker: true,
		})
	}
	if aws.ToBool(o.IsTruncated) {
		p.Next = history.Mark{Key: aws.ToString(o.NextKeyMarker), ID: aws.ToString(o.NextVersionIdMarker)}
	}
	return p
}

// listHidden yields what lies below a hidden key.
func (s *store) listHidden(ctx context.Context, elements ...string) iter.Seq2[hidden, error] {
	prefix := s.hiddenKey(elements...) + "/"
	return func(yield func(hidden, error) bool) {
		for token := ""; ; {
			p, err := s.listPage(ctx, prefix, token, false, maxKeys)
			if err != nil {
				yield(hidden{}, err)
				return
			}
			for _, o := range p.objects {
				if !yield(hidden{aws.ToString(o.Key), p.at.Sub(aws.ToTime(o.LastModified))}, nil) {
					return
				}
			}
			if token = p.next; token == "" {
				return
			}
		}
	}
}
