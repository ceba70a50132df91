using System;
using System.IO;
using System.Reflection;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The exceptions of bad requests. Apps and middleware catch them by type, so it must be the one of the runtime at hand.
    /// </summary>
    internal static class BadRequests
    {
        private static readonly ConstructorInfo? _constructor = Constructor();

        public static Exception TooLarge() => New("The request's body is too large.", 413);

        public static Exception Malformed(string what) => New($"The request is malformed: {what}.", 400);

        public static Exception BrokenBody() => New("The request's body ended unexpectedly, or is malformed.", 400);

        /// <summary>The status that answers an exception: 500 but for these.</summary>
        public static int StatusOf(Exception exception)
        {
            if (_constructor == null || !_constructor.DeclaringType!.IsInstanceOfType(exception))
            {
                return 500;
            }
            return exception.GetType().GetProperty("StatusCode")?.GetValue(exception) is int status ? status : 500;
        }

        private static Exception New(string message, int status)
        {
            if (_constructor == null)
            {
                return new IOException(message);
            }
            var parameters = _constructor.GetParameters();
            var arguments = new object?[parameters.Length];
            for (var index = 0; index < arguments.Length; index++)
            {
                var type = parameters[index].ParameterType;
                arguments[index] = type == typeof(string) ? message
                    : type == typeof(int) ? status
                    : type.IsValueType ? Activator.CreateInstance(type) : null;
            }
            return (Exception)_constructor.Invoke(arguments);
        }

        /// <summary>A public type of its own from 5 on; before, Kestrel's, whose constructor is not public.</summary>
        private static ConstructorInfo? Constructor()
        {
            const string Kestrel = "Microsoft.AspNetCore.Server.Kestrel.Core";
            var type = Type.GetType(
                    "Microsoft.AspNetCore.Http.BadHttpRequestException, Microsoft.AspNetCore.Http.Abstractions")
                ?? Type.GetType($"{Kestrel}.BadHttpRequestException, {Kestrel}");
            foreach (var constructor in type?.GetConstructors(
                BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic) ?? Array.Empty<ConstructorInfo>())
            {
                var parameters = constructor.GetParameters();
                if (parameters.Length >= 2 && parameters[0].ParameterType == typeof(string) &&
                    parameters[1].ParameterType == typeof(int))
                {
                    return constructor;
                }
            }
            return null;
        }
    }
}
