using System;
using System.Reflection;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Answers the calls of any interface. Public, and open for inheritance, because the runtime derives the
    /// implementation from it in an assembly of its own.
    /// </summary>
    public class AnswersByName : DispatchProxy
    {
        /// <summary>The answer to a method, by its name.</summary>
        public Func<string, object?> Answer { get; set; } = _ => null;

        /// <inheritdoc/>
        protected override object? Invoke(MethodInfo targetMethod, object?[] args) => Answer(targetMethod.Name);
    }
}
