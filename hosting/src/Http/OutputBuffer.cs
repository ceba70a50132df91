using System;
using System.Buffers;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// What the app has written and native does not have yet. Small answers fit into a buffer that lives as long as its
    /// context; a larger one is rented while it is needed.
    /// </summary>
    /// <remarks>Only the app's thread writes and grows; another may take what was flushed, under the output's lock.</remarks>
    internal sealed class OutputBuffer
    {
        private const int OwnLength = 4096;

        private readonly byte[] _own = new byte[OwnLength];
        private byte[] _buffer;

        // Sent ≤ flushed ≤ written.
        private int _sent;
        private int _flushed;
        private int _written;

        public OutputBuffer() => _buffer = _own;

        /// <summary>Written, but not flushed.</summary>
        public int Unflushed => _written - _flushed;

        public int Room => _buffer.Length - _written;

        /// <summary>Room for more, at least as much as is needed.</summary>
        public Memory<byte> Rest => new Memory<byte>(_buffer, _written, Room);

        public void Advance(int bytes)
        {
            if (bytes < 0 || bytes > Room)
            {
                throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "More than was asked for.");
            }
            _written += bytes;
        }

        public void Append(ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(Rest.Span);
            _written += bytes.Length;
        }

        /// <summary>All that was written may be taken from now on.</summary>
        public void Flush() => _flushed = _written;

        /// <summary>What was flushed and not taken before. Valid until the app's thread goes on.</summary>
        public ReadOnlySpan<byte> Take()
        {
            var flushed = new ReadOnlySpan<byte>(_buffer, _sent, _flushed - _sent);
            _sent = _flushed;
            return flushed;
        }

        /// <summary>Forgets what was not flushed.</summary>
        public void DropUnflushed() => _written = _flushed;

        public void Clear() => _sent = _flushed = _written = 0;

        /// <summary>Gives back what was rented.</summary>
        public void Return()
        {
            Clear();
            Replace(_own);
        }

        /// <summary>Makes room. What was handed out before is not valid any more.</summary>
        public void Grow(int needed)
        {
            var kept = _written - _sent;
            if (_sent > 0 && _buffer.Length - kept >= needed)
            {
                Buffer.BlockCopy(_buffer, _sent, _buffer, 0, kept);
            }
            else
            {
                var larger = ArrayPool<byte>.Shared.Rent(Math.Max(kept + needed, _buffer.Length * 2));
                Buffer.BlockCopy(_buffer, _sent, larger, 0, kept);
                Replace(larger);
            }
            _flushed -= _sent;
            _written -= _sent;
            _sent = 0;
        }

        private void Replace(byte[] buffer)
        {
            if (_buffer != _own)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
            }
            _buffer = buffer;
        }
    }
}
