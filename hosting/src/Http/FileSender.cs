using System;
using System.Buffers;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>Writes a file, or a part of it.</summary>
    internal static class FileSender
    {
        private const int PieceLength = 64 * 1024;

        public static async Task SendAsync(
            Stream target, string path, long offset, long? count, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1,
                FileOptions.Asynchronous | FileOptions.SequentialScan);
            if (offset < 0 || offset > file.Length)
            {
                throw new ArgumentOutOfRangeException(nameof(offset), offset, "Outside of the file.");
            }
            if (count < 0 || count > file.Length - offset)
            {
                throw new ArgumentOutOfRangeException(nameof(count), count, "Outside of the file.");
            }
            file.Seek(offset, SeekOrigin.Begin);
            await CopyAsync(file, target, count ?? file.Length - offset, cancellationToken);
        }

        private static async Task CopyAsync(Stream file, Stream target, long rest, CancellationToken cancellationToken)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
            try
            {
                while (rest > 0)
                {
                    var wanted = (int)Math.Min(rest, buffer.Length);
                    var read = await file.ReadAsync(new Memory<byte>(buffer, 0, wanted), cancellationToken);
                    if (read == 0)
                    {
                        return;
                    }
                    await target.WriteAsync(new ReadOnlyMemory<byte>(buffer, 0, read), cancellationToken);
                    rest -= read;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }
}
